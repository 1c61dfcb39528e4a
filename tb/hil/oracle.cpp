// See oracle.h.
#include "oracle.h"

namespace harness {
namespace {

constexpr unsigned kPageShift = 12;
constexpr unsigned kVpnBits = 52;
constexpr uint64_t kRead = 1;
constexpr uint64_t kWrite = 2;
constexpr uint64_t kKernel = 4;
constexpr uint64_t kRights = 0xff;
constexpr unsigned kNextShift = 8;

}  // namespace

void Oracle::bind(const uint64_t *words, uint64_t frames, const uint32_t *ctx_mm, uint32_t contexts) {
  words_ = words;
  frames_ = frames;
  ctx_mm_ = ctx_mm;
  contexts_ = contexts;
}

void Oracle::reset() {
  checked_beats = checked_bytes = violations = 0;
  records.clear();
}

Reason Oracle::judge(const User &user, uint64_t pa, bool write, bool inside, uint32_t *mm) const {
  const uint64_t frame = pa >> kPageShift;
  if (!inside || frame >= frames_) return Reason::Outside;
  if (!user.mapped) return (words_[2 * frame + 1] & kKernel) ? Reason::None : Reason::NotKernel;
  *mm = user.ctx < contexts_ ? ctx_mm_[user.ctx] : 0;
  if (*mm == 0) return Reason::NoContext;
  const uint64_t tag = (uint64_t{*mm} << kVpnBits) | (user.va >> kPageShift);
  for (uint64_t index = frame;;) {
    const uint64_t rights = words_[2 * index + 1];
    if (words_[2 * index] == tag) {
      if (write) return (rights & kWrite) ? Reason::None : Reason::ReadOnly;
      return (rights & kRead) ? Reason::None : Reason::Revoked;
    }
    index = (rights & ~kRights) >> kNextShift;
    if (index == 0) return Reason::Revoked;
  }
}

bool Oracle::check(uint64_t cycle, const User &user, uint64_t pa, bool write, bool inside, unsigned bytes) {
  if (!enabled) return true;
  checked_beats += 1;
  checked_bytes += bytes;
  uint32_t mm = 0;
  const Reason reason = judge(user, pa, write, inside, &mm);
  if (reason == Reason::None) return true;
  violations += 1;
  if (records.size() < max_violations) {
    hil_violation_t record{};
    record.cycle = cycle;
    record.reason = static_cast<uint32_t>(reason);
    record.write = write;
    record.mapped = user.mapped;
    record.ctx = user.ctx;
    record.cbr = user.cbr;
    record.asid = user.asid;
    record.mm = mm;
    record.va = user.va;
    record.pa = pa;
    records.push_back(record);
  }
  return false;
}

}  // namespace harness
