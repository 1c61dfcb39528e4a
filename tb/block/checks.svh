// What every testbench that checks itself has (tb/block/program.py). Included in its module, which has a `cycle` for complaints.
//
// `setting`: a plusarg. `chance`, `dice`: draws of the generator that +seed= begins (`begin_draws`). `note`: one more thing was judged, and
// goes into the digest. `check`: the first that does not hold ends the run.

longint unsigned digest = 64'hcbf2_9ce4_8422_2325;
int unsigned items = 0;  // noted

function automatic int unsigned setting(string name, int unsigned otherwise);
  if (!$value$plusargs({name, "=%d"}, setting)) setting = otherwise;
endfunction

function automatic void begin_draws();
  void'($urandom(int'(setting("seed", 1))));
endfunction

function automatic int unsigned dice(int unsigned n);
  return n == 0 ? 0 : $urandom() % n;
endfunction

function automatic bit chance(int unsigned percent);
  return $urandom() % 100 < percent;
endfunction

function automatic void note(longint unsigned what);  // FNV-1a, by the double-word
  digest = (digest ^ what) * 64'h0000_0100_0000_01b3;
  items++;
endfunction

task automatic check(bit ok, string what);
  if (!ok) begin
    $display("FAIL cycle %0d: %s", cycle, what);
    $finish(1);
    $fatal(1);
  end
endtask
