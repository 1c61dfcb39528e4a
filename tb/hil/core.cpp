// See core.h.
#include "core.h"

#include <algorithm>

namespace harness {

::hil *active = nullptr;

}  // namespace harness

using harness::kNever;

void hil::reset() {
  oracle.reset();
  memory.reset();
  bus.reset();
  trace.reset();
  evaluated = skipped = snoops = irqs = 0;
  failed = false;
  failure_cycle = 0;
  error.clear();
  events_.clear();
  taken_ = 0;
  for (auto &kind : snooped_) kind.clear();
  now_ = 0;
  next_ = 1;
  until_ = 0;
  irq_ = 0;
  violations_seen_ = 0;
  stop_ = true;
  status_ = {};
}

void hil::fail(const std::string &text) {
  if (!failed) {  // the first failure is the cause
    failed = true;
    failure_cycle = now_;
    error = text;
  }
  stop_ = true;
  forget_horizon();  // the host shall come and hear of it
}

void hil::edge(uint64_t now) {
  if (stop_) fail("the clock ran outside advance()");
  now_ = now;
}

void hil::snoop(unsigned kind, uint32_t index) { snooped_[kind].push_back(index); }

// The first cycle in which a register, a pin or a queue may change unless a further request comes; 0 when that is the next one.
uint64_t hil::horizon(const harness::TickIn &in) const {
  if (!skip || failed || !in.quiet || !bus.idle() || memory.presenting()) return 0;
  return std::min({in.deadline, bus.next_start(), memory.next_due()});
}

// The cycle after `cycle`. After an event it is the next one: software may answer at once.
uint64_t hil::following(uint64_t cycle) const {
  const uint64_t plain = cycle + 1;
  uint64_t target = status_[1];
  if (target == 0 || !events_.empty()) return plain;
  if (until_ != kNever) target = std::min(target, until_ + 1);
  // Without any future at all the clock must not run away: the caller's `until` ends it.
  return target == kNever ? plain : std::max(plain, target);
}

void hil::tick(const harness::TickIn &in) {
  const uint64_t cycle = now_;
  evaluated += 1;

  hil_event_t done;
  if (bus.tick(cycle, in.bus, &done)) events_.push_back(done);

  for (uint32_t changed = in.irq ^ irq_; changed != 0; changed &= changed - 1) {
    const auto line = static_cast<uint32_t>(__builtin_ctz(changed));
    const uint32_t level = (in.irq >> line) & 1;
    hil_event_t event{};
    event.kind = HIL_IRQ;
    event.cycle = cycle;
    event.index = line;
    event.value = level;
    events_.push_back(event);
    trace.record(cycle, DEV_IRQ, line, level, 0, 0, 0, 0);
    irqs += 1;
  }
  irq_ = in.irq;

  for (uint32_t kind = 0; kind < harness::kSnoopKinds; ++kind) {
    for (const uint32_t index : snooped_[kind]) {
      hil_event_t event{};
      event.kind = HIL_SNOOP;
      event.cycle = cycle;
      event.index = index;
      event.value = kind;
      events_.push_back(event);
      snoops += 1;
    }
    snooped_[kind].clear();
  }

  memory.tick(cycle, memory.pins.rvalid && in.rready, memory.pins.bvalid && in.bready);
  if (oracle.violations != violations_seen_) {
    hil_event_t event{};
    event.kind = HIL_ORACLE;
    event.cycle = cycle;
    events_.push_back(event);
  }
  violations_seen_ = oracle.violations;

  status_[1] = horizon(in);
  next_ = following(cycle);
  status_[0] = next_ - 1;
  memory.settle(next_);
  skipped += next_ - cycle - 1;
  if (!events_.empty() || next_ > until_ || failed) stop_ = true;
}

bool hil::arm(uint64_t until) {
  if (failed) return false;
  until_ = until;
  stop_ = taken_ < events_.size() || until < next_;
  if (!stop_) {
    events_.clear();
    taken_ = 0;
  }
  harness::active = this;
  return true;
}

uint32_t hil::take(hil_event_t *events, uint32_t max) {
  const auto count = static_cast<uint32_t>(std::min<size_t>(max, events_.size() - taken_));
  std::copy_n(events_.begin() + static_cast<std::ptrdiff_t>(taken_), count, events);
  taken_ += count;
  return count;
}
