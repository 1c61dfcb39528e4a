// What memory answered: a region, or one step of a walk. Combinational.
//
// Promises: over_o: the walk ends, as outcome_o says; else it goes on in table next_o, one level down. A leaf that maps more than a page
//   comes with the frame of the page asked for; the low bits of its own frame do not count.

module hca_xlt_decode
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
(
  input  rd_rsp_t  rsp_i,
  // The walk that asked.
  input  keyidx_t  key_i,
  input  vpn_t     vpn_i,
  input  pn_t      pn_i,
  input  level_t   left_i,     // levels below the one read
  output logic     over_o,
  output outcome_t outcome_o,
  output pfn_t     next_o,
  output region_t  region_o
);

  logic error;
  logic [63:0] mtt;
  logic [TABLE_BITS-1:0] index;
  hca_mpt_t mpt;
  vpn_t inner;

  assign error = rsp_i.resp[1];
  assign index = table_index(pn_i, left_i);
  assign mtt = rsp_i.data[{index[2:0], 6'b0}+:64];
  assign next_o = mtt[MTT_PFN_LSB+:MTT_PFN_WIDTH];
  assign inner = pages_less_one(left_i);

  always_comb begin
    outcome_o = '0;
    outcome_o.how = WALK_BAD;
    outcome_o.entry.tag.key = key_i;
    outcome_o.entry.tag.vpn = vpn_i;
    over_o = 1'b1;
    if (!error) begin
      if (mtt[MTT_TABLE_LSB]) begin
        over_o = left_i == '0;
      end else if (!mtt[MTT_READ_LSB]) begin
        outcome_o.how = WALK_ABSENT;
      end else if (left_i != 2'd3) begin
        outcome_o.how = WALK_LEAF;
        outcome_o.entry.tag.off = off_t'(pn_i);
        outcome_o.entry.tag.level = left_i;
        outcome_o.entry.leaf.pfn = (next_o & ~pfn_t'(inner)) | (pfn_t'(pn_i) & pfn_t'(inner));
        outcome_o.entry.leaf.write = mtt[MTT_WRITE_LSB];
      end
    end
  end

  assign mpt = hca_mpt_t'(rsp_i.data);
  assign region_o = '{
          error: error,
          valid: mpt.valid,
          local_write: mpt.local_write,
          remote_write: mpt.remote_write,
          remote_read: mpt.remote_read,
          remote_atomic: mpt.remote_atomic,
          on_demand: mpt.on_demand,
          whole: mpt.whole,
          pd: mpt.pd,
          key: mpt.key,
          start: mpt.start,
          length: mpt.length,
          levels: mpt.levels,
          root: mpt.root,
          table_base: mpt.table_base[VaW-1:PageW]
      };

  logic unused;
  assign unused = ^{mtt[63:52], mtt[11:3], index[TABLE_BITS-1:3], inner[VpnW-1:PfnW], rsp_i.id, rsp_i.resp[0], mpt.rsvd0, mpt.rsvd1,
                    mpt.rsvd2, mpt.rsvd3, mpt.table_base[11:0]};

endmodule
