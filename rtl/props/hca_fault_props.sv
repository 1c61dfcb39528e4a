// The fault queue's rules, checked beside it. Bound to hca_fault; no logic depends on it.
//
// Promises: FQ-1, an accepted fault is outstanding already or becomes so, its record goes out once, and soon when the queue has
//   room; FQ-2, the index moves with memory's answer to a record and not otherwise; FQ-3, one outstanding an id; FQ-4, a resume
//   counts with the token of the record written for its id and not resumed, and only so; FQ-5, the queue pairs hear of each, with
//   its error; FQ-7, the queue is filled to its last entry and no further. The line of FQ-6 is checked in hca_regs_props.
// Costs: a state and a token for each of the ids, in the simulator only.

module hca_fault_props
  import hca_pkg::*;
  import hca_int_pkg::*;
(
  input logic        clk_i,
  input logic        rst_ni,
  input logic        enable_i,
  input logic        clearing_q,
  input logic        flt_valid_i,
  input logic        flt_ready_o,
  input flt_req_t    flt_i,
  input logic        clr_valid_i,
  input logic        clr_ready_o,
  input qpn_t        clr_qpn_i,
  input logic [1:0]  clr_dir_i,
  input logic        resume_valid_o,
  input resume_t     resume_o,
  input logic [15:0] fq_size_i,
  input index_t      fq_cons_i,
  input index_t      fq_prod_o,
  input logic        wr_valid_o,
  input logic        wr_ready_i,
  input wr_req_t     wr_o,
  input logic        wr_rsp_valid_i,
  input wr_rsp_t     wr_rsp_i,
  input logic        obs_fault_valid_o,
  input flt_req_t    obs_fault_o,
  input logic [31:0] obs_fault_token_o,
  input logic        obs_resume_valid_o,
  input logic        obs_resume_ok_o,
  input resume_t     obs_resume_o,
  input logic [31:0] obs_resume_token_o
);

  localparam int unsigned Ids = 2 * NUM_QP;
  localparam int unsigned IdW = $clog2(Ids);
  localparam int unsigned Soon = 64;  // cycles in which a waiting record goes out when it can

  typedef logic [IdW-1:0] id_t;
  typedef enum logic [2:0] {NONE, WAITING, GOING, WRITTEN, FORGOTTEN} mirror_e;

  function automatic id_t id_of(fault_dir_e d, qpn_t q);
    return {d, q};
  endfunction

  // What each id must be, from what passes at the ports.
  mirror_e     mirror [Ids];
  logic [31:0] token  [Ids];
  int          waiting;          // ids that wait for their record
  int unsigned idle_for;         // cycles in which one could have gone out
  logic        going;            // a record is on its way, or refused by memory and kept
  id_t         going_id;
  logic        asked_q, clr_q, answered_q, heard_q, live_q;
  id_t         asked_id_q;
  qpn_t        clr_qpn_q;
  logic [1:0]  clr_dir_q;
  logic [2:0]  recent_q;         // a record was answered a moment ago: its state follows
  index_t      prod_q;
  resume_t     heard_want_q;

  hca_fault_t image;
  id_t        image_id, fault_id, resume_id;
  logic       out, in, moved, room;
  assign image     = wr_o.data;
  assign image_id  = id_of(fault_dir_e'(image.direction), image.qpn[QPN_WIDTH-1:0]);
  assign fault_id  = id_of(obs_fault_o.direction, obs_fault_o.qpn);
  assign resume_id = id_of(obs_resume_o.direction, obs_resume_o.qpn);
  assign out       = wr_valid_o && wr_ready_i;
  assign in        = wr_rsp_valid_i && wr_rsp_i.id == WID_FAULT && going;
  assign moved     = fq_prod_o != prod_q;
  assign room      = fq_size_i != '0 && (fq_size_i & (fq_size_i - 1'b1)) == '0 && index_t'(fq_prod_o - fq_cons_i) < fq_size_i;

  always @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni || !enable_i) begin
      if (!rst_ni || live_q) begin
        for (int i = 0; i < Ids; i++) mirror[i] = NONE;
      end
      waiting    = 0;
      idle_for   = 0;
      going      = 1'b0;
      asked_q    <= 1'b0;
      clr_q      <= 1'b0;
      answered_q <= 1'b0;
      heard_q    <= 1'b0;
      live_q     <= 1'b0;
      recent_q   <= '0;
      prod_q     <= '0;
    end else begin
      // A fault accepted a cycle ago, and one taken as new.
      if (asked_q) begin
        fq_1_fault_taken: assert (obs_fault_valid_o || mirror[asked_id_q] inside {WAITING, GOING, WRITTEN})
          else $error("FQ-1: a fault of id %0d was accepted, is not outstanding and was not taken", asked_id_q);
      end
      if (obs_fault_valid_o) begin
        fq_3_one_outstanding: assert (mirror[fault_id] inside {NONE, FORGOTTEN})
          else $error("FQ-3: a second fault of id %0d while one is outstanding", fault_id);
        mirror[fault_id] = WAITING;
        token[fault_id]  = obs_fault_token_o;
        waiting++;
      end
      // A side that starts anew.
      if (clr_q) begin
        for (int d = 0; d < 2; d++) begin
          if (clr_dir_q[d]) begin
            if (mirror[id_of(fault_dir_e'(d), clr_qpn_q)] inside {WAITING, FORGOTTEN}) begin
              if (mirror[id_of(fault_dir_e'(d), clr_qpn_q)] == WAITING) waiting--;
              mirror[id_of(fault_dir_e'(d), clr_qpn_q)] = FORGOTTEN;
            end else begin
              mirror[id_of(fault_dir_e'(d), clr_qpn_q)] = NONE;
            end
          end
        end
      end
      // Records.
      if (out && !going) begin
        fq_1_record_once: assert (mirror[image_id] == WAITING && token[image_id] == image.token)
          else $error("FQ-1: the record of id %0d, token %h, goes out and does not wait", image_id, image.token);
        mirror[image_id] = GOING;
        going_id         = image_id;
        going            = 1'b1;
        waiting--;
      end
      if (in && !wr_rsp_i.resp[1]) begin
        if (mirror[going_id] == GOING) mirror[going_id] = WRITTEN;
        going = 1'b0;
      end
      idle_for = (waiting > 0 && !going && room && !clearing_q) ? idle_for + 1 : 0;
      fq_1_record_goes_out: assert (idle_for < Soon)
        else $error("FQ-1: %0d faults wait, the queue has room, and no record goes out", waiting);
      fq_2_index_after_record: assert (moved == answered_q)
        else $error("FQ-2: the producer index moves, and no record was answered");
      fq_2_index_by_one: assert (!moved || fq_prod_o == index_t'(prod_q + 1'b1)) else $error("FQ-2: the producer index jumps");
      fq_7_not_past_full: assert (!wr_valid_o || going || room) else $error("FQ-7: a record for a full queue");
      // Resumes.
      if (obs_resume_valid_o) begin
        fq_4_token: assert (!obs_resume_ok_o || (mirror[resume_id] == WRITTEN && token[resume_id] == obs_resume_token_o))
          else $error("FQ-4: a resume of id %0d with token %h is accepted", resume_id, obs_resume_token_o);
        fq_4_accepted: assert (mirror[resume_id] != WRITTEN || token[resume_id] != obs_resume_token_o || recent_q != '0
                               || obs_resume_ok_o)
          else $error("FQ-4: the resume of id %0d is refused", resume_id);
        if (obs_resume_ok_o) mirror[resume_id] = NONE;
      end
      if (heard_q) begin
        fq_5_resume_heard: assert (resume_valid_o && resume_o == heard_want_q)
          else $error("FQ-5: an accepted resume does not reach its queue pair");
      end

      live_q       <= 1'b1;
      asked_q      <= flt_valid_i && flt_ready_o;
      asked_id_q   <= id_of(flt_i.direction, flt_i.qpn);
      clr_q        <= clr_valid_i && clr_ready_o;
      clr_qpn_q    <= clr_qpn_i;
      clr_dir_q    <= clr_dir_i;
      answered_q   <= in && !wr_rsp_i.resp[1];
      recent_q     <= {recent_q[1:0], in};
      prod_q       <= fq_prod_o;
      heard_q      <= obs_resume_valid_o && obs_resume_ok_o;
      heard_want_q <= obs_resume_o;
    end
  end

  // An index that every entry can pass: the cover the tests look for.
  fq_7_all_entries: cover property (@(posedge clk_i) enable_i && fq_size_i != '0 && index_t'(fq_prod_o - fq_cons_i) == fq_size_i);

endmodule

bind hca_fault hca_fault_props u_props (.*);
