// See oracle.h.
#include "oracle.h"

namespace harness {
namespace {

constexpr uint32_t kLegal = 0;

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

uint32_t Oracle::judge(const User &user, uint64_t pa, bool write, bool inside, uint32_t *mm) const {
  const uint64_t frame = pa >> HIL_PAGE_SHIFT;
  if (!inside || frame >= frames_) return HIL_REASON_OUTSIDE;
  if (!user.mapped) {
    if (words_[2 * frame + 1] & HIL_SHADOW_KERNEL) return kLegal;
    return HIL_REASON_NOT_KERNEL;
  }
  *mm = user.ctx < contexts_ ? ctx_mm_[user.ctx] : 0;
  if (*mm == 0) return HIL_REASON_NO_CONTEXT;
  const uint64_t tag = (uint64_t{*mm} << HIL_SHADOW_VPN_BITS) | (user.va >> HIL_PAGE_SHIFT);
  for (uint64_t index = frame;;) {
    const uint64_t rights = words_[2 * index + 1];
    if (words_[2 * index] == tag) {
      if (rights & (write ? HIL_SHADOW_WRITE : HIL_SHADOW_READ)) return kLegal;
      return write ? HIL_REASON_READ_ONLY : HIL_REASON_REVOKED;
    }
    index = rights >> HIL_SHADOW_RIGHTS_BITS;
    if (index == 0) return HIL_REASON_REVOKED;
  }
}

bool Oracle::check(uint64_t cycle, const User &user, uint64_t pa, bool write, bool inside, unsigned bytes) {
  if (!enabled) return true;
  checked_beats += 1;
  checked_bytes += bytes;
  uint32_t mm = 0;
  const uint32_t reason = judge(user, pa, write, inside, &mm);
  if (reason == kLegal) return true;
  violations += 1;
  if (records.size() < max_violations) {
    hil_violation_t record{};
    record.cycle = cycle;
    record.reason = reason;
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
