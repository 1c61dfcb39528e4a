// The Verilated hca_mmu as a library, with memory: one call a clock cycle.
//
// Promises: as stepped.h. Memory is `size` bytes from address 0 (mmu_memory), and again at every multiple of 2^24; outside it answers with
//   SLVERR. It answers a request `latency` cycles after taking it, in order of the requests, and takes one in the cycles a seeded draw
//   allows. What is written is there when it is answered, not before.

#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "Vmmu_tb.h"

#define TOP Vmmu_tb
#define STEPPED_OWN

#define INPUTS(X) \
  X(mutant) X(write) X(read) X(addr) X(data) X(flt_valid) X(flt_qpn) X(flt_dir) X(flt_va) X(req_valid) X(req_use) X(req_key) \
  X(req_va) X(req_need) X(start_valid) X(done_valid) X(use) X(fired_valid) X(fired) X(async_valid) X(async_kind) X(async_subject) \
  X(flt_mix) X(qp_status) X(stall)
#define OUTPUTS(X) \
  X(bvalid) X(bresp) X(rvalid) X(rresp) X(rdata) X(flt_ready) X(req_ready) X(rsp_valid) X(rsp_use) X(rsp_result) X(rsp_pa) X(live) \
  X(resume_valid) X(resume_qpn) X(resume_dir) X(resume_error) X(qp_cmd_valid) X(qp_cmd_op) X(qp_cmd_qpn) X(cq_cmd_valid) X(cq_cmd_cqn) \
  X(db_sq) X(db_rq) X(db_qpn) X(db_index) X(db_cq) X(db_cqn) X(db_cq_index) X(db_arm) X(irq) X(cmd_snoop) X(cmd_snoop_index) \
  X(fence_snoop) X(inv) X(inv_index) X(record) X(record_prod) X(quiescent) X(deadline) X(now) \
  X(rd_valid) X(rd_id) X(wr_valid) X(wr_id) X(wr_pa)
// Not ports: what memory said in this cycle, and how many requests it has not answered.
#define EXTRA(X) X(rd_rsp) X(rd_rsp_id) X(wr_rsp) X(wr_rsp_id) X(pending)

#include "stepped.h"

namespace {

constexpr uint64_t kLine = 64;
constexpr uint64_t kAgain = (uint64_t{1} << 24) - 1;

struct Waiting {
  uint64_t due;
  int id;
  uint64_t pa;
  uint64_t strobes = 0;
  uint8_t data[kLine] = {};
};

struct Model : Block {
  std::vector<uint8_t> memory;
  std::deque<Waiting> reads, writes;
  uint64_t now = 0, latency = 0;
  int busy = 0;  // percent of the cycles in which memory takes nothing
  std::mt19937 random;
};

bool draw(Model* m) { return m->busy == 0 || static_cast<int>(m->random() % 100) >= m->busy; }

}  // namespace

extern "C" {

const char* block_names(int outputs) { return outputs ? OUTPUTS(BLOCK_NAME) EXTRA(BLOCK_NAME) : INPUTS(BLOCK_NAME); }

Model* block_open(int seed, uint64_t size, uint64_t latency, int busy) {
  auto* m = new Model;
  m->random.seed(seed);
  m->memory.resize(size);
  m->latency = latency;
  m->busy = busy;
  power_on(m, seed);
  return m;
}

uint8_t* mmu_memory(Model* m) { return m->memory.data(); }

void block_step(Model* m, const uint64_t* in, uint64_t* out) {
  stepping = m;
  auto& t = *m->top;
INPUTS(BLOCK_SET)
  const auto inside = [m](uint64_t pa) { return pa + kLine <= m->memory.size(); };
  t.rd_ready_i = draw(m);
  t.wr_ready_i = draw(m);
  t.rd_rsp_valid_i = !m->reads.empty() && m->reads.front().due <= m->now;
  if (t.rd_rsp_valid_i) {
    const Waiting w = m->reads.front();
    m->reads.pop_front();
    t.rd_rsp_id_i = w.id;
    t.rd_rsp_resp_i = inside(w.pa) ? 0 : 2;
    if (inside(w.pa)) std::memcpy(&t.rd_rsp_data_i[0], &m->memory[w.pa], kLine);
  }
  t.wr_rsp_valid_i = !m->writes.empty() && m->writes.front().due <= m->now;
  if (t.wr_rsp_valid_i) {
    const Waiting w = m->writes.front();
    m->writes.pop_front();
    t.wr_rsp_id_i = w.id;
    t.wr_rsp_resp_i = inside(w.pa) ? 0 : 2;
    for (uint64_t i = 0; i < kLine && inside(w.pa); i++) {
      if (w.strobes >> i & 1) m->memory[w.pa + i] = w.data[i];
    }
  }
  t.clk_i = 0;
  t.eval();
  const auto line = [](uint64_t pa) { return pa & kAgain & ~(kLine - 1); };
  if (t.rd_valid_o && t.rd_ready_i) m->reads.push_back({m->now + m->latency, t.rd_id_o, line(t.rd_pa_o)});
  if (t.wr_valid_o && t.wr_ready_i) {
    Waiting w{m->now + m->latency, t.wr_id_o, line(t.wr_pa_o), t.wr_strb_o};
    std::memcpy(w.data, &t.wr_data_o[0], kLine);
    m->writes.push_back(w);
  }
OUTPUTS(BLOCK_GET)
  *out++ = t.rd_rsp_valid_i;
  *out++ = t.rd_rsp_id_i;
  *out++ = t.wr_rsp_valid_i;
  *out++ = t.wr_rsp_id_i;
  *out++ = m->reads.size() + m->writes.size();
  t.clk_i = 1;
  t.eval();
  m->now++;
}

void block_close(Model* m) { delete m; }
}
