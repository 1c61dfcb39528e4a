// See core.h.
#include "core.h"

#include <algorithm>

namespace harness {

::hil *active = nullptr;

void Node::reset() {
  oracle.reset();
  memory.reset();
  bus.reset();
  in = NodePins{};
  irq = 0;
  for (auto &kind : snooped) kind.clear();
  snoops = irqs = 0;
}

}  // namespace harness

using harness::kNever;
using harness::Node;

hil::hil() {
  nodes.reserve(harness::design.nodes);  // a node's memory refers to its oracle: they must not move
  for (unsigned n = 0; n < harness::design.nodes; ++n) nodes.emplace_back(violations, static_cast<uint8_t>(n));
}

void hil::reset() {
  for (Node &node : nodes) node.reset();
  violations.records.clear();
  links.reset();
  trace.reset();
  evaluated = skipped = 0;
  failed = false;
  failure_cycle = 0;
  error.clear();
  events_.clear();
  taken_ = 0;
  now_ = 0;
  next_ = 1;
  until_ = 0;
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

// The first cycle in which a register, a pin or a queue may change unless a further request comes; 0 when that is the next one.
uint64_t hil::horizon(bool quiet, uint64_t deadline) const {
  if (!skip || failed || !quiet) return 0;
  uint64_t first = deadline;
  for (const Node &node : nodes) {
    if (!node.bus.idle() || node.memory.presenting()) return 0;
    first = std::min({first, node.bus.next_start(), node.memory.next_due()});
  }
  return first;
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

hil_event_t &hil::event(hil_event_kind kind, unsigned node, uint64_t cycle) {
  hil_event_t &made = events_.emplace_back();
  made.kind = static_cast<uint16_t>(kind);
  made.node = static_cast<uint16_t>(node);
  made.cycle = cycle;
  return made;
}

void hil::tick(bool quiet, uint64_t deadline) {
  const uint64_t cycle = now_;
  evaluated += 1;

  for (Node &node : nodes) {
    hil_event_t done;
    if (node.bus.tick(cycle, node.in.bus, &done)) events_.push_back(done);
  }
  for (unsigned n = 0; n < nodes.size(); ++n) {
    Node &node = nodes[n];
    for (uint32_t changed = node.in.irq ^ node.irq; changed != 0; changed &= changed - 1) {
      const auto bit = static_cast<uint32_t>(__builtin_ctz(changed));
      const uint32_t line = harness::kNodeIrqs * n + bit;
      const uint32_t level = (node.in.irq >> bit) & 1;
      hil_event_t &made = event(HIL_IRQ, n, cycle);
      made.index = line;
      made.value = level;
      record(n, DEV_IRQ, line, level, 0, 0, 0, 0);
      node.irqs += 1;
    }
    node.irq = node.in.irq;
  }
  for (unsigned n = 0; n < nodes.size(); ++n) {
    Node &node = nodes[n];
    for (uint32_t kind = 0; kind < harness::kSnoopKinds; ++kind) {
      for (const uint32_t index : node.snooped[kind]) {
        hil_event_t &made = event(HIL_SNOOP, n, cycle);
        made.index = index;
        made.value = kind;
        node.snoops += 1;
      }
      node.snooped[kind].clear();
    }
  }

  uint64_t illegal = 0;
  unsigned accused = 0;
  for (unsigned n = 0; n < nodes.size(); ++n) {
    Node &node = nodes[n];
    node.memory.tick(cycle, node.memory.pins.rvalid && node.in.rready, node.memory.pins.bvalid && node.in.bready);
    illegal += node.oracle.violations;
  }
  if (illegal != violations_seen_) {
    if (!violations.records.empty()) accused = violations.records.back().node;
    event(HIL_ORACLE, accused, cycle);
  }
  violations_seen_ = illegal;
  links.tick();

  status_[1] = horizon(quiet, deadline);
  next_ = following(cycle);
  status_[0] = next_ - 1;
  for (Node &node : nodes) node.memory.settle(next_);
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
