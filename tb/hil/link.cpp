// See link.h.
#include "link.h"

#include <algorithm>

namespace harness {
namespace {

constexpr uint64_t kMillion = 1'000'000;

// SplitMix64: every bit of the result depends on every bit of the number.
uint64_t mix(uint64_t value) {
  value += 0x9E3779B97F4A7C15;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

static_assert(HIL_PKT_OP_NAK < kOpcodes, "an opcode has its place in the word of fates");

}  // namespace

void Links::reset() {
  ways_ = {};
  count = {};
}

Fate Links::random(unsigned direction, uint64_t number) const {
  if (loss + corrupt + truncate == 0) return Fate::Pass;
  const uint64_t drawn = mix(mix(seed) ^ mix(number * kDirections + direction)) % kMillion;
  if (drawn < loss) return Fate::Lose;
  if (drawn < loss + corrupt) return Fate::Corrupt;
  return drawn < loss + corrupt + truncate ? Fate::Truncate : Fate::Pass;
}

void Links::packet(unsigned direction, unsigned opcode) {
  Way &way = ways_[direction];
  const unsigned place = opcode < kOpcodes ? opcode : 0;
  const auto fate = (way.driven >> (2 * place)) & 3;
  count[fate] += 1;
  way.number += 1;
  for (Targeted &fault : way.targeted) {
    if (fault.opcode != 0 && fault.opcode != opcode) continue;
    if (fault.skip == 0 && static_cast<uint32_t>(fault.fate) != fate) continue;  // asked for after the pins were set: the next one
    fault.skip -= 1;  // below zero: done
  }
  std::erase_if(way.targeted, [](const Targeted &fault) { return fault.skip == ~uint64_t{0}; });
}

void Links::tick() {
  for (unsigned direction = 0; direction < kDirections; ++direction) {
    Way &way = ways_[direction];
    const auto any = static_cast<uint32_t>(random(direction, way.number));
    way.driven = any * 0x55555555;  // for every opcode
    for (const Targeted &fault : way.targeted) {
      if (fault.skip != 0) continue;
      for (unsigned opcode = 0; opcode < kOpcodes; ++opcode) {
        if (fault.opcode != 0 && fault.opcode != opcode) continue;
        way.driven = (way.driven & ~(3u << (2 * opcode))) | static_cast<uint32_t>(fault.fate) << (2 * opcode);
      }
    }
  }
}

}  // namespace harness
