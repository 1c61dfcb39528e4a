// hca_xlt_cache and hca_xlt_mpt of any size beside plain tables of this testbench.
//
// Parameters: Entries and Ways of the translation cache, Keys of the key cache. Plusargs: seed, cycles, mutant.
// Checks: a hit is the entry last filled for that page and key, and no invalidation covered it since; what was filled is found unless its set
//   was fuller than its ways; an invalidation's slots come free; the same of keys.
// Ends with "PASS cycles=... items=... digest=...", or with the first check that failed.

module hca_caches_tb
  import hca_pkg::*;
  import hca_int_pkg::*;
  import hca_xlt_pkg::*;
#(
  parameter int unsigned Entries = 64,
  parameter int unsigned Ways = 4,
  parameter int unsigned Keys = 16
);

  localparam int unsigned Sets = Entries / Ways;
  localparam int unsigned IdxW = $clog2(Sets);
  localparam int unsigned KeyW = $clog2(Keys);
  localparam int unsigned Pages = 4 * Entries < 4096 ? 4 * Entries : 4096;  // that are used
  logic clk = 1'b0, rst_n = 1'b0, enable = 1'b0;
  longint unsigned cycle = 0;
  int unsigned cycles, hits = 0, kills = 0, most = 0;
  logic [7:0] mutant = '0;
  always #5 clk = !clk;

  `include "checks.svh"

  logic s0_valid = 0, s1_valid = 0, s1_hit, fill_ready, fill_valid = 0, fill_decide, drop = 0, inval_ready, accept = 0, active, key_hit;
  logic key_fill = 0;
  keyidx_t s0_key = 0, s1_key = 0;
  vpn_t s0_vpn = 0, s1_vpn = 0;
  entry_t s1_entry, fill = '0, fill_entry;
  inval_t inval = '0;
  region_t key_in = '0, key_out;
  logic [Ways-1:0] kill;
  tag_t [Ways-1:0] kill_tag;
  hca_xlt_cache #(.Entries(Entries), .Ways(Ways)) u_cache (
    .clk_i(clk), .rst_ni(rst_n), .enable_i(enable), .mutant_i(mutant), .s0_valid_i(s0_valid), .s0_set_key_i(IdxW'(s0_key)),
    .s0_set_vpn_i(IdxW'(s0_vpn)), .s1_valid_i(s1_valid), .s1_key_i(s1_key), .s1_vpn_i(s1_vpn), .s1_hit_o(s1_hit), .s1_entry_o(s1_entry),
    .fill_ready_o(fill_ready), .fill_valid_i(fill_valid), .fill_i(fill), .fill_decide_o(fill_decide), .fill_entry_o(fill_entry),
    .drop_i(drop), .inval_ready_o(inval_ready), .accept_i(accept), .inval_i(inval), .kill_o(kill), .kill_tag_o(kill_tag), .active_o(active)
  );
  hca_xlt_mpt #(.Entries(Keys)) u_keys (
    .clk_i(clk), .rst_ni(rst_n), .enable_i(enable), .mutant_i(mutant), .s0_valid_i(s0_valid), .s0_set_i(KeyW'(s0_key)), .s1_key_i(s1_key),
    .s1_hit_o(key_hit), .s1_region_o(key_out), .fill_valid_i(key_fill), .fill_i(key_in), .accept_i(accept), .inval_i(inval)
  );

  // ------------------------------------------------------------------------------------------------ what must be
  typedef struct { entry_t entry; bit sure; } kept_t;
  kept_t kept[Sets][longint unsigned];  // by {key, page}
  region_t keys[int unsigned];          // by place
  longint unsigned waited = 0;

  function automatic longint unsigned name_of(keyidx_t key, vpn_t vpn);
    return (64'(key) << 52) ^ 64'(vpn);
  endfunction
  function automatic int unsigned set_of(keyidx_t key, vpn_t vpn);
    return 32'(IdxW'(key) ^ IdxW'(vpn));
  endfunction

  task automatic judge();
    if (s1_valid) begin
      automatic int unsigned set = set_of(s1_key, s1_vpn);
      automatic longint unsigned name = name_of(s1_key, s1_vpn);
      automatic bit there = kept[set].exists(name) != 0;
      note({63'(s1_vpn), s1_hit});
      if (s1_hit) begin
        hits++;
        check(there && s1_entry == kept[set][name].entry, "a hit of what is not there");
      end else check(!there || !kept[set][name].sure, "what was filled is not found");
      there = keys.exists(32'(KeyW'(s1_key))) != 0 && keyidx_t'(keys[32'(KeyW'(s1_key))].key >> 8) == s1_key;
      check(key_hit == there, "whether a key is cached");
      if (key_hit) check(key_out == keys[32'(KeyW'(s1_key))], "a cached key");
    end
    check(fill_decide == (filling_q != 0), "a fill is decided in the cycle after it was taken");
    waited = accept || inval_ready ? 0 : waited + 1;
    check(waited <= 3 * Sets + 8, "slots of invalidations do not come free");
    kills += $countones(kill);
    if (fill_decide && !drop) begin
      automatic int unsigned set = set_of(fill_entry.tag.key, fill_entry.tag.vpn);
      automatic longint unsigned name = name_of(fill_entry.tag.key, fill_entry.tag.vpn);
      if (kept[set].exists(name) != 0) kept[set].delete(name);
      if (32'(kept[set].num()) >= Ways) foreach (kept[set][other]) kept[set][other].sure = 0;
      kept[set][name] = '{fill_entry, 1'b1};
      if (32'(kept[set].num()) > most) most = 32'(kept[set].num());
    end
    if (accept) begin
      note({52'(inval.first), 12'(inval.key)});
      for (int unsigned set = 0; set < Sets; set++) begin
        automatic longint unsigned gone[$];
        foreach (kept[set][name]) if (covers(inval, span_of(kept[set][name].entry.tag), 8'd0)) gone.push_back(name);
        foreach (gone[i]) kept[set].delete(gone[i]);
      end
      if (inval.whole && keys.exists(32'(KeyW'(inval.key))) != 0 && keyidx_t'(keys[32'(KeyW'(inval.key))].key >> 8) == inval.key)
        keys.delete(32'(KeyW'(inval.key)));
    end
    if (key_fill) keys[32'(KeyW'(key_in.key >> 8))] = key_in;  // after what dies: the place may be the same
    filling_q = fill_valid;
  endtask
  bit filling_q = 0;

  // Keys of the whole width, half of them with one place; pages that are neighbours by twos, anywhere in the address space.
  keyidx_t some_keys[8];
  function automatic keyidx_t a_key();
    return some_keys[dice(8)];
  endfunction
  function automatic vpn_t a_page();
    automatic int unsigned page = dice(Pages);
    return vpn_t'((64'(page >> 1) * 64'h9e37_79b9_7f4a_7c15 >> 12 << $clog2(Pages)) | 64'(page));
  endfunction

  function automatic keyidx_t new_key(int unsigned i);
    return i < 4 ? keyidx_t'($urandom()) : keyidx_t'(some_keys[0] + dice(NUM_KEY) * Keys);
  endfunction

  tag_t recent[16];  // filled not long ago
  task automatic drive();
    automatic int unsigned place = dice(16);
    if (cycle[5:0] == 0) some_keys[dice(8)] = new_key(dice(8));
    s1_valid = s0_valid;
    s1_key   = s0_key;
    s1_vpn   = s0_vpn;
    s0_valid = chance(80);
    s0_key   = a_key();
    s0_vpn   = a_page();
    if (chance(40)) {s0_key, s0_vpn} = {recent[place].key, recent[place].vpn};
    drop     = chance(20);
    fill_valid = 0;
    #1;
    fill_valid = fill_ready && chance(40);
    fill.tag.key   = a_key();
    fill.tag.vpn   = chance(20) ? s0_vpn : a_page();
    fill.tag.level = level_t'(chance(70) ? 0 : 1 + $urandom() % 2);
    fill.tag.off   = off_t'(fill.tag.vpn) & off_t'(pages_less_one(fill.tag.level));
    if (fill_valid) recent[dice(16)] = fill.tag;
    fill.leaf.pfn   = pfn_t'({$urandom(), $urandom()});
    fill.leaf.write = chance(50);
    accept = inval_ready && chance(cycle[8:6] == 0 ? 60 : 3);  // now and then as many as there is room for
    inval.key   = a_key();
    inval.whole = chance(10);
    inval.first = a_page();
    if (chance(50)) begin  // beside a page, within its large leaf
      inval.key   = recent[place].key;
      inval.first = {recent[place].vpn[51:TABLE_BITS], TABLE_BITS'($urandom())};
    end
    inval.last  = inval.first + vpn_t'($urandom() % 8);
    key_fill = chance(20);
    key_in   = region_t'({12{$urandom()}});
    key_in.key[31:8] = 24'(a_key());
    // Whoever fills does not bring an entry whose key is invalidated in the same cycle.
    if (accept && inval.whole && key_in.key[31:8] == 24'(inval.key)) key_fill = 0;
  endtask

  initial begin
    cycles = setting("cycles", 4000);
    mutant = 8'(setting("mutant", 0));
    begin_draws();
    foreach (recent[i]) recent[i] = '0;
    foreach (some_keys[i]) some_keys[i] = new_key(i);
    repeat (3) @(negedge clk);
    rst_n = 1'b1;
    enable = 1'b1;
    for (int unsigned i = 0; i < 2 * cycles; i++) begin
      @(negedge clk);
      if (i == cycles) begin  // forgets everything, in the middle
        {s0_valid, s1_valid, fill_valid, accept, key_fill} = '0;
        enable = 1'b0;
        @(negedge clk);
        enable = 1'b1;
        foreach (kept[s]) kept[s].delete();
        keys.delete();
        filling_q = 0;
        waited = 0;
      end
      drive();
      #1 judge();
      @(posedge clk) cycle++;
    end
    check(hits > cycles / 50 && kills != 0 && most >= Ways, "nothing was tried");
    $display("PASS cycles=%0d items=%0d digest=%0d hits=%0d kills=%0d", cycle, items, digest, hits, kills);
    $finish;
  end

endmodule
