// The oracle: may this beat touch this frame? Layout of the records: hwif/shadow.py.
//
// Promises: reads only the bound arrays, decides in O(mappings of the frame); every beat is counted.
// Needs: `bind` before the first beat; the arrays change only while the simulator stands still.
#pragma once

#include <cstdint>
#include <vector>

#include "hil.h"

namespace harness {

// Whose access a beat is: the AXI sideband.
struct User {
  bool mapped;
  uint8_t ctx;
  uint8_t cbr;
  uint32_t asid;
  uint64_t va;
};

class Oracle {
 public:
  void bind(const uint64_t *words, uint64_t frames, const uint32_t *ctx_mm, uint32_t contexts);
  void reset();
  // Checks one beat of `bytes` bytes at physical address `pa`. Records a violation and returns false if it is illegal.
  bool check(uint64_t cycle, const User &user, uint64_t pa, bool write, bool inside, unsigned bytes);

  bool enabled = true;
  uint64_t max_violations = 4096;
  uint64_t checked_beats = 0;
  uint64_t checked_bytes = 0;
  uint64_t violations = 0;
  std::vector<hil_violation_t> records;

 private:
  // Why the beat is illegal, 0 if it is not.
  uint32_t judge(const User &user, uint64_t pa, bool write, bool inside, uint32_t *mm) const;

  const uint64_t *words_ = nullptr;
  const uint32_t *ctx_mm_ = nullptr;
  uint64_t frames_ = 0;
  uint32_t contexts_ = 0;
};

}  // namespace harness
