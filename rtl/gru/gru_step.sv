// One step of an instruction: from its state to the access it makes next and the state after that access.
//
// Promises: an access stays within one memory line, one data segment line and one element run; unit-stride runs are as long
//   as those lines allow, strided and indexed vectors go one element an access. Errors found here become ACC_LOCAL.
//   INVALID_INSTRUCTION: opcode, exop or xtype not built; an address, tri0 or tri1 that is not a multiple of the element
//     size (tri1: of 8); BCOPY with an empty buffer.
//   UNMAPPED_MODE_FORBIDDEN, DATA_SEGMENT_LIMIT_EXCEPTION, IAA_GAA_MISMATCH (unmapped: address bits [63:62]) as named.
//   nelem = 0 ends normally without an access, for any addresses.
// Needs: dsr_*_i answer dsr_au_o in the same cycle.
// Costs: combinational.

module gru_step
  import gru_pkg::*;
  import gru_int_pkg::*;
  import gru_eng_pkg::*;
(
  input  cbs_t        s_i,
  input  cbu_t        u_i,
  input  ctx_t        ctx_i,
  input  ctx_cfg_t    cfg_i,
  input  logic        index_ok_i,   // tri1 is inside the context's data segment
  input  logic [63:0] index_i,
  output logic [11:0] dsr_au_o,
  input  logic        dsr_ok_i,
  input  logic [DsrAuW-1:0] dsr_au_i,
  output logic [2:0]  region_o,
  input  asid_t       asid_i,
  input  logic [NumSizes-1:0] sizes_i,
  output acc_t        acc_o
);

  localparam tri_t BufLimit = tri_t'(DsrLines);

  // Class of the instruction.
  logic load, store, set, indexed, bcopy, mesq, ir, er, nop, amo;
  always_comb begin
    {load, store, set, indexed, bcopy, mesq, ir, er, nop} = '0;
    unique case (s_i.opc)
      CB_OPC_NOP:    nop = 1'b1;
      CB_OPC_BCOPY:  bcopy = 1'b1;
      CB_OPC_VLOAD:  load = 1'b1;
      CB_OPC_IVLOAD: {load, indexed} = 2'b11;
      CB_OPC_VSTORE: store = 1'b1;
      CB_OPC_IVSTORE: {store, indexed} = 2'b11;
      CB_OPC_VSET:   set = 1'b1;
      CB_OPC_IVSET:  {set, indexed} = 2'b11;
      CB_OPC_MESQ:   mesq = 1'b1;
      CB_OPC_GAMIR, CB_OPC_GAMIRR: ir = 1'b1;
      CB_OPC_GAMER, CB_OPC_GAMERR: er = 1'b1;
      default: ;
    endcase
    amo = ir || er;
  end

  logic [2:0] lg;
  logic       x_ok, dword;
  always_comb begin
    x_ok  = 1'b1;
    dword = s_i.xtype == CB_XTYPE_DW;
    unique case (s_i.xtype)
      CB_XTYPE_B:  lg = 3'd0;
      CB_XTYPE_S:  lg = 3'd1;
      CB_XTYPE_W:  lg = 3'd2;
      CB_XTYPE_DW: lg = 3'd3;
      CB_XTYPE_CL: lg = 3'd6;
      default: begin
        lg   = 3'd0;
        x_ok = 1'b0;
      end
    endcase
  end

  // Exops that exist with this opcode, and those that only read.
  logic ex_ok, ex_read;
  always_comb begin
    ex_ok   = 1'b0;
    ex_read = 1'b0;
    if (ir) begin
      unique case (s_i.exopc)
        EXOP_IR_FETCH: {ex_ok, ex_read} = 2'b11;
        EXOP_IR_CLR, EXOP_IR_INC, EXOP_IR_DEC: ex_ok = 1'b1;
        EXOP_IR_QCHK1, EXOP_IR_QCHK2: ex_ok = dword && s_i.opc == CB_OPC_GAMIR;
        EXOP_IR_DECZ: ex_ok = s_i.opc == CB_OPC_GAMIRR;
        default: ;
      endcase
    end else if (er) begin
      unique case (s_i.exopc)
        EXOP_ER_SWAP, EXOP_ER_OR, EXOP_ER_AND, EXOP_ER_XOR, EXOP_ER_ADD, EXOP_ER_CSWAP: ex_ok = 1'b1;
        EXOP_ER_CADD: ex_ok = s_i.opc == CB_OPC_GAMER;
        EXOP_ER_EPOLL, EXOP_ER_NPOLL: begin
          ex_ok   = s_i.opc == CB_OPC_GAMERR;
          ex_read = 1'b1;
        end
        default: ;
      endcase
    end
  end

  logic valid;
  always_comb begin
    valid = 1'b0;
    if (nop) valid = 1'b1;
    else if (load || store || set || bcopy) valid = x_ok;
    else if (mesq) valid = s_i.xtype == CB_XTYPE_CL;
    else if (amo) valid = ex_ok && (dword || s_i.xtype == CB_XTYPE_W);
  end

  // BCOPY fills its buffer, then empties it. It is emptying when a part has left, the buffer is full, or the source is done.
  tri_t buf_end;
  logic draining, writing, reserving, uses_dsr, unit;
  assign buf_end   = s_i.idef2 + {s_i.idef4[15:0], 6'd0};
  assign draining  = u_i.idef4 != s_i.idef2 || u_i.idef2 == buf_end || u_i.idef6 == '0;
  assign reserving = mesq && !u_i.idef4[0];
  assign writing   = store || set || (bcopy && draining) || (mesq && !reserving);
  assign uses_dsr  = load || store || bcopy || (mesq && !reserving);
  assign unit      = bcopy || mesq || (!indexed && s_i.idef5 == 64'd1);

  va_t  va;
  tri_t pos;
  always_comb begin
    va = u_i.idef1;
    if (indexed) va = u_i.idef1 + (index_i << lg);
    else if (bcopy && draining) va = u_i.idef3;
    pos = (bcopy && draining) ? u_i.idef4 : u_i.idef2;
  end

  // Bytes of this access.
  function automatic logic [6:0] least(input logic [6:0] a, input logic [6:0] b);
    return a < b ? a : b;
  endfunction
  logic [63:0] rem;
  logic [12:0] rem_bytes;
  tri_t        room;
  logic [6:0]  bytes, count;
  always_comb begin
    rem       = (bcopy && !draining) ? u_i.idef6 : u_i.idef5;
    rem_bytes = {6'd0, rem[6:0]} << lg;
    room      = draining ? u_i.idef2 - u_i.idef4 : buf_end - u_i.idef2;
    bytes     = 7'd1 << lg;
    if (unit) begin
      bytes = 7'd64 - {1'b0, va[5:0]};
      if (uses_dsr) bytes = least(bytes, 7'd64 - {1'b0, pos[5:0]});
      if (bcopy && room < tri_t'(64)) bytes = least(bytes, room[6:0]);
      if (rem[63:7] == '0 && rem_bytes < 13'd64) bytes = least(bytes, rem_bytes[6:0]);
    end
    count = bytes >> lg;
  end

  // Alignment.
  logic [5:0] low;
  logic misaligned;
  always_comb begin
    low        = 6'((7'd1 << lg) - 7'd1);
    misaligned = |(va[5:0] & low) || (uses_dsr && |(pos[5:0] & low)) || (indexed && |u_i.idef4[2:0]);
    if (bcopy && s_i.idef4 == '0) misaligned = 1'b1;
  end

  assign dsr_au_o = pos[21:10];
  assign region_o = va[REGION_LSB+:3];

  logic unmapped, last;
  logic [1:0] iaa;
  assign unmapped = |(s_i.ima & CB_IMA_UNMAPPED);
  assign iaa      = (bcopy && draining) ? s_i.iaa1 : s_i.iaa0;
  assign last     = rem == {57'd0, count};

  logic [19:0] ecause;
  logic        ends;
  always_comb begin
    ecause = '0;
    ends   = 1'b1;
    if (!valid) ecause[CB_ECAUSE_INVALID_INSTRUCTION] = 1'b1;
    else if (nop) ecause = '0;
    else if (unmapped && !cfg_i.unmap_enable) ecause[CB_ECAUSE_UNMAPPED_MODE_FORBIDDEN] = 1'b1;
    else if (!amo && u_i.idef5 == '0) ecause = '0;
    else if (indexed && !index_ok_i) ecause[CB_ECAUSE_DATA_SEGMENT_LIMIT_EXCEPTION] = 1'b1;
    else if (misaligned) ecause[CB_ECAUSE_INVALID_INSTRUCTION] = 1'b1;
    else if ((uses_dsr && !dsr_ok_i) || (bcopy && s_i.idef4 > BufLimit)) ecause[CB_ECAUSE_DATA_SEGMENT_LIMIT_EXCEPTION] = 1'b1;
    else if (unmapped && va[63:62] != iaa) ecause[CB_ECAUSE_IAA_GAA_MISMATCH] = 1'b1;
    else ends = 1'b0;
  end

  cbu_t next;
  always_comb begin
    next = u_i;
    if (reserving) begin
      next.idef4 = tri_t'(1);
    end else if (bcopy) begin
      if (draining) begin
        next.idef3 = u_i.idef3 + {57'd0, bytes};
        next.idef5 = u_i.idef5 - {57'd0, count};
        next.idef4 = u_i.idef4 + {15'd0, bytes};
        if (next.idef4 == u_i.idef2) begin
          next.idef4 = s_i.idef2;
          next.idef2 = s_i.idef2;
        end
      end else begin
        next.idef1 = u_i.idef1 + {57'd0, bytes};
        next.idef6 = u_i.idef6 - {57'd0, count};
        next.idef2 = u_i.idef2 + {15'd0, bytes};
      end
    end else if (!amo) begin
      next.idef5 = u_i.idef5 - {57'd0, count};
      if (uses_dsr) next.idef2 = u_i.idef2 + {15'd0, bytes};
      if (indexed) next.idef4 = u_i.idef4 + tri_t'(8);
      else if (unit) next.idef1 = u_i.idef1 + {57'd0, bytes};
      else next.idef1 = u_i.idef1 + (s_i.idef5 << lg);
    end
  end

  // The value of VSET, repeated to eight bytes.
  logic [63:0] pattern;
  always_comb begin
    unique case (lg)
      3'd0: pattern = {8{u_i.idef6[7:0]}};
      3'd1: pattern = {4{u_i.idef6[15:0]}};
      3'd2: pattern = {2{u_i.idef6[31:0]}};
      default: pattern = u_i.idef6;
    endcase
  end

  always_comb begin
    acc_o          = '0;
    acc_o.kind     = ends ? ACC_LOCAL : (amo || reserving) ? ACC_AMO : writing ? ACC_WRITE : ACC_READ;
    acc_o.done     = ends || amo || (!reserving && last && (!bcopy || draining));
    acc_o.set      = set;
    acc_o.wperm    = writing || reserving || (amo && !ex_read);
    acc_o.ima_int  = |(s_i.ima & CB_IMA_INTERRUPT);
    acc_o.mesq     = reserving;
    acc_o.er       = er;
    acc_o.word     = amo && !dword;
    acc_o.exopc    = s_i.exopc;
    acc_o.op1      = set ? pattern : s_i.idef5;
    acc_o.ecause   = ecause;
    acc_o.iaa      = iaa;
    acc_o.mapped   = !unmapped;
    acc_o.ctx      = ctx_i;
    acc_o.asid     = asid_i;
    acc_o.sizes    = sizes_i;
    acc_o.va       = va;
    acc_o.bytes    = bytes;
    acc_o.dsr_line = {dsr_au_i, pos[9:6]};
    acc_o.dsr_off  = pos[5:0];
    acc_o.next     = next;
  end

  logic unused;
  assign unused = ^{cfg_i, s_i.ima, room};

endmodule
