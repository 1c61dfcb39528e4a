// What testbenches share whose stimulus is packets (tb/hca_rx, tb/hca_tx): which packets, and how much goes wrong. Included in their modules.
//
// Plusargs: seed, packets, qps (queue pairs), mode (tb/block/packets.py: 0 everything at random; 1 the same, but nothing is wrong, nothing
//   waits: for rates; 2 as 1, all packets of `length` bytes at address offset `skew`), length, skew, latency (memory's answers), mutant.
`include "checks.svh"

localparam int unsigned MaxPackets = 8192;
typedef enum int unsigned { RANDOM, CALM, EQUAL } mode_e;
mode_e mode;
int unsigned packets, qps, fixed_length, skew, latency;
logic [7:0] mutant = '0;

function automatic bit trouble(int unsigned percent);  // chance of something unpleasant
  return mode == RANDOM && dice(100) < percent;
endfunction

function automatic void read_settings(int unsigned latency_otherwise);
  packets      = setting("packets", 1000);
  qps          = setting("qps", 8);
  mode         = mode_e'(setting("mode", 0));
  fixed_length = setting("length", 64);
  skew         = setting("skew", 0);
  latency      = setting("latency", latency_otherwise);
  mutant       = 8'(setting("mutant", 0));
  begin_draws();
endfunction
