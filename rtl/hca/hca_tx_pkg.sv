// What passes between the parts of the HCA's transmit side (hca_tx*), and how a packet's payload falls into pieces.
//
// A packet's payload comes from up to two elements; each is cut at the page edge it may cross. Piece 2 e + 1 is what of element e lies
// behind the edge.

package hca_tx_pkg;
  import hca_pkg::*;
  import hca_int_pkg::*;

  localparam int unsigned LineBytes = 64;
  localparam int unsigned PageBytes = 1 << PageW;
  // Lines a packet may touch: its bytes, and one more for each piece that does not begin on a line.
  localparam int unsigned MaxLines = (1 << MTU_SHIFT_MAX) / LineBytes + MAX_SEGMENTS;
  localparam int unsigned RingW = TxSlotW + SegW;  // pieces in hand

  typedef logic [TxSlotW-1:0] txslot_t;
  typedef logic [TX_SLOTS-1:0] txslots_t;
  typedef logic [MAX_SEGMENTS-1:0] segs_t;
  typedef logic [6:0] lines_t;  // of a piece or a packet, up to MaxLines

  typedef struct packed {
    logic [31:0] key;
    va_t         va;
    logic [12:0] len;
    logic [31:0] rest;
  } elem_t;

  // A packet without its header.
  typedef struct packed {
    qpn_t        qpn;
    fault_dir_e  side;
    pd_t         pd;
    need_e       need;
    index_t      wqe_index;
    elem_t [1:0] elem;
  } tx_req_t;

  typedef struct packed {
    va_t         va;
    logic [12:0] len;
    logic [12:0] skip;  // bytes of its element before it
  } piece_t;

  // A piece that has been started: what is read, and what becomes of it.
  typedef struct packed {
    txslot_t     slot;
    seg_t        seg;
    logic        last;  // of its packet
    pa_t         pa;
    va_t         va;
    logic [12:0] len;
    need_e       need;
    qpn_t        qpn;
    keyidx_t     key;
  } tx_piece_t;

  function automatic tx_req_t request_of(tx_pkt_t pkt);
    return '{qpn: pkt.qpn, side: pkt.side, pd: pkt.pd, need: pkt.need, wqe_index: pkt.wqe_index,
             elem: {elem_t'{key: pkt.key1, va: pkt.va1, len: pkt.len1, rest: pkt.rest1},
                    elem_t'{key: pkt.key0, va: pkt.va0, len: pkt.len0, rest: pkt.rest0}}};
  endfunction

  function automatic piece_t piece_of(elem_t elem, logic behind_edge);
    automatic logic [12:0] room = 13'(PageBytes) - 13'(elem.va[PageW-1:0]);
    automatic logic [12:0] near = elem.len < room ? elem.len : room;
    if (behind_edge) piece_of = '{va: {elem.va[VaW-1:PageW] + 1'b1, PageW'(0)}, len: elem.len - near, skip: near};
    else piece_of = '{va: elem.va, len: near, skip: '0};
  endfunction

  function automatic segs_t pieces_of(tx_req_t req);
    automatic piece_t piece;
    for (int unsigned s = 0; s < MAX_SEGMENTS; s++) begin
      piece = piece_of(req.elem[s/2], s[0]);
      pieces_of[s] = piece.len != '0;
    end
  endfunction

  function automatic lines_t lines_of(logic [5:0] first, logic [12:0] len);
    return lines_t'((14'(first) + 14'(len) + 14'(LineBytes - 1)) >> 6);
  endfunction

  function automatic seg_t lowest_seg(segs_t segs);
    lowest_seg = '0;
    for (int unsigned s = MAX_SEGMENTS; s > 0; s--) if (segs[s-1]) lowest_seg = seg_t'(s - 1);
  endfunction

  function automatic txslot_t lowest_slot(txslots_t slots);
    lowest_slot = '0;
    for (int unsigned s = TX_SLOTS; s > 0; s--) if (slots[s-1]) lowest_slot = txslot_t'(s - 1);
  endfunction

endpackage
