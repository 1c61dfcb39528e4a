// What goes wrong on the link: which packet is lost, corrupted or cut short, decided here, done by rtl/hca/hca_link.sv.
//
// Promises: a packet's fate is a function of seed, direction and its number in that direction alone, so native, cocotb, skipping or not,
//   agree. A fault asked for by number and opcode goes before the random ones. Fates of packets on the wire do not change.
// Costs: nothing in a cycle in which no packet begins and no setting changed.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "gen/hca.h"

namespace harness {

enum class Fate : uint8_t { Pass = 0, Lose = 1, Corrupt = 2, Truncate = 3 };

constexpr unsigned kDirections = 2;  // d: out of node d
constexpr unsigned kOpcodes = 16;    // 0 stands for any

// The `skip`-th packet of an opcode from the call on (0: the next) meets this fate.
struct Targeted {
  unsigned opcode;
  uint64_t skip;
  Fate fate;
};

class Links {
 public:
  void reset();
  void target(unsigned direction, const Targeted &fault) { ways_[direction].targeted.push_back(fault); }
  // A packet's first flit was taken, and with it the fate that was on the pins for its opcode.
  void packet(unsigned direction, unsigned opcode);
  // End of cycle: fates of the next packets.
  void tick();
  // What a packet that begins next cycle meets, two bits an opcode.
  uint32_t fates(unsigned direction) const { return ways_[direction].driven; }

  uint64_t latency = 1, cycles_per_flit = 1, seed = 1;
  uint64_t loss = 0, corrupt = 0, truncate = 0;  // per million packets
  std::array<uint64_t, 4> count{};               // packets by fate, all directions
  uint64_t packets() const { return count[0] + count[1] + count[2] + count[3]; }

 private:
  struct Way {
    uint64_t number = 0;  // packets so far
    uint32_t driven = 0;
    std::vector<Targeted> targeted;
  };

  Fate random(unsigned direction, uint64_t number) const;

  std::array<Way, kDirections> ways_{};
};

}  // namespace harness
