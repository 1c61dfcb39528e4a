// The oracle: may this beat touch this frame? Layout of the records: hwif/shadow.py.
//
// Promises: reads only the bound arrays, decides in O(mappings of the frame); every beat is counted.
// Needs: `bind` before the first beat; the arrays change only while the simulator stands still.
#pragma once

#include <cstdint>
#include <vector>

#include "hil.h"

namespace harness {

enum class Owner : uint8_t {
  Kernel,   // unmapped: the device's own tables, or what software addressed physically
  Context,  // a GRU's context
  Region,   // an HCA's memory region
};

// Whose access a beat is: the AXI sideband.
struct User {
  Owner owner;
  uint32_t ctx;   // context; HCA: index of the key
  uint32_t cbr;   // control block; HCA: queue pair
  uint32_t asid;  // HCA: need of the access (hil_hca_need)
  uint64_t va;
  uint8_t bytes = 0;  // HCA: bytes of a read that are used
};

// The bytes a beat touches: `count` from the byte `lane` of its line on.
struct Span {
  unsigned lane;
  unsigned count;
};

// Illegal beats of all nodes, in order of time.
struct ViolationLog {
  uint64_t max = 4096;
  std::vector<hil_violation_t> records;
};

class Oracle {
 public:
  explicit Oracle(ViolationLog &log, uint8_t node = 0) : log_(log), node_(node) {}
  void bind(const uint64_t *words, uint64_t frames, const uint32_t *ctx_mm, uint32_t contexts);
  void bind_regions(const uint64_t *regions, uint32_t keys, const uint32_t *qp_pd, uint32_t qps);
  void reset();
  // Checks one beat at physical address `pa`. Records a violation and returns false if it is illegal.
  bool check(uint64_t cycle, const User &user, uint64_t pa, bool write, bool inside, Span span);

  bool enabled = true;
  uint64_t checked_beats = 0;
  uint64_t checked_bytes = 0;
  uint64_t violations = 0;

 private:
  // Why the beat is illegal, 0 if it is not.
  uint32_t judge(const User &user, uint64_t pa, bool write, bool inside, Span span, uint32_t *mm) const;
  uint32_t judge_region(const User &user, bool write, Span span, uint32_t *mm) const;

  ViolationLog &log_;
  uint8_t node_;
  const uint64_t *words_ = nullptr;
  const uint32_t *ctx_mm_ = nullptr;
  const uint64_t *regions_ = nullptr;
  const uint32_t *qp_pd_ = nullptr;
  uint64_t frames_ = 0;
  uint32_t contexts_ = 0, keys_ = 0, qps_ = 0;
};

}  // namespace harness
