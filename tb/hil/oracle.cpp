// See oracle.h.
#include "oracle.h"

#include "gen/hca.h"

namespace harness {
namespace {

constexpr uint32_t kLegal = 0;
constexpr uint64_t kLaneMask = HIL_LINE_BYTES - 1;

static_assert(HIL_REGION_LOCAL_READ == 1 << HIL_NEED_LOCAL_READ && HIL_REGION_LOCAL_WRITE == 1 << HIL_NEED_LOCAL_WRITE &&
                  HIL_REGION_REMOTE_READ == 1 << HIL_NEED_REMOTE_READ && HIL_REGION_REMOTE_WRITE == 1 << HIL_NEED_REMOTE_WRITE &&
                  HIL_REGION_REMOTE_ATOMIC == 1 << HIL_NEED_REMOTE_ATOMIC,
              "the right to an access is the bit of its need");

// The direction a beat of this need may have: an atomic reads and writes.
bool fits(uint32_t need, bool write) {
  if (need == HIL_NEED_REMOTE_ATOMIC) return true;
  return write == (need == HIL_NEED_LOCAL_WRITE || need == HIL_NEED_REMOTE_WRITE);
}

}  // namespace

void Oracle::bind(const uint64_t *words, uint64_t frames, const uint32_t *ctx_mm, uint32_t contexts) {
  words_ = words;
  frames_ = frames;
  ctx_mm_ = ctx_mm;
  contexts_ = contexts;
}

void Oracle::bind_regions(const uint64_t *regions, uint32_t keys, const uint32_t *qp_pd, uint32_t qps) {
  regions_ = regions;
  keys_ = keys;
  qp_pd_ = qp_pd;
  qps_ = qps;
}

void Oracle::reset() { checked_beats = checked_bytes = violations = 0; }

// The region allows it: what is left to ask is the frame.
uint32_t Oracle::judge_region(const User &user, bool write, Span span, uint32_t *mm) const {
  if (user.ctx >= keys_) return HIL_REASON_NO_REGION;
  const uint64_t *region = regions_ + uint64_t{HIL_REGION_WORDS} * user.ctx;
  const auto pd = static_cast<uint32_t>(region[0] >> HIL_REGION_MM_BITS);
  *mm = static_cast<uint32_t>(region[0]);
  if (*mm == 0) return HIL_REASON_NO_REGION;
  // The sideband must describe the bytes the beat touches, or it proves nothing.
  const bool described = span.count != 0 && span.lane == (user.va & kLaneMask) && span.lane + span.count <= HIL_LINE_BYTES;
  if (!described || user.va < region[1] || user.va >= region[2] || span.count > region[2] - user.va) return HIL_REASON_OUT_OF_REGION;
  const uint32_t domain = user.cbr < qps_ ? qp_pd_[user.cbr] : 0;
  if (domain == 0 || domain != pd) return HIL_REASON_WRONG_DOMAIN;
  if (((region[3] >> user.asid) & 1) == 0 || !fits(user.asid, write)) return HIL_REASON_NO_RIGHT;
  return kLegal;
}

uint32_t Oracle::judge(const User &user, uint64_t pa, bool write, bool inside, Span span, uint32_t *mm) const {
  const uint64_t frame = pa >> HIL_PAGE_SHIFT;
  if (!inside || frame >= frames_) return HIL_REASON_OUTSIDE;
  switch (user.owner) {
    case Owner::Kernel:
      if (words_[2 * frame + 1] & HIL_SHADOW_KERNEL) return kLegal;
      return HIL_REASON_NOT_KERNEL;
    case Owner::Context:
      *mm = user.ctx < contexts_ ? ctx_mm_[user.ctx] : 0;
      if (*mm == 0) return HIL_REASON_NO_CONTEXT;
      break;
    case Owner::Region:
      if (const uint32_t reason = judge_region(user, write, span, mm); reason != kLegal) return reason;
      break;
  }
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

bool Oracle::check(uint64_t cycle, const User &user, uint64_t pa, bool write, bool inside, Span span) {
  if (!enabled) return true;
  checked_beats += 1;
  checked_bytes += span.count;
  uint32_t mm = 0;
  const uint32_t reason = judge(user, pa, write, inside, span, &mm);
  if (reason == kLegal) return true;
  violations += 1;
  if (log_.records.size() < log_.max) {
    hil_violation_t record{};
    record.cycle = cycle;
    record.reason = reason;
    record.write = write;
    record.mapped = user.owner != Owner::Kernel;
    record.node = node_;
    record.ctx = user.ctx;
    record.cbr = user.cbr;
    record.asid = user.asid;
    record.mm = mm;
    record.va = user.va;
    record.pa = pa;
    log_.records.push_back(record);
  }
  return false;
}

}  // namespace harness
