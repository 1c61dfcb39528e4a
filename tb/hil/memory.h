// Timing model of the memory behind an AXI4 port: 512 bit, single beats, any number outstanding per ID.
//
// Promises, for an access whose address (and write data) is accepted in cycle A:
//   read    data is sampled in cycle D - 1 and on the pins from D = max(A + read_latency, last D + 64 / bytes_per_cycle),
//           reads answer in order of acceptance;
//   write   bytes change in cycle A, where A is the later of address and data; the response is on the pins from
//           max(A + write_latency, last response + 1); after a beat the data channel rests 64 / bytes_per_cycle - 1 cycles.
//   Either direction accepts max_outstanding accesses. Ready is registered, and high while there is room. The two directions
//   have their own data paths, as AXI channels do. Where a response is held by the master, those behind it wait.
//   An exclusive write changes memory (EXOKAY) iff the bytes still have the value its ID's exclusive read returned; else OKAY.
//   Outside memory: DECERR, no byte touched. Every beat passes the oracle: a read when sampled, a write when performed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "oracle.h"

namespace harness {

constexpr unsigned kLine = HIL_LINE_BYTES;
constexpr uint64_t kNever = ~uint64_t{0};

enum : uint8_t { kOkay = 0, kExOkay = 1, kSlvErr = 2, kDecErr = 3 };

struct Address {
  uint8_t id;
  uint8_t size;  // log2 bytes
  bool lock;
  uint64_t pa;
  User user;
};

// What the memory drives on its response channels next cycle.
struct MemoryPins {
  bool arready, awready, wready;
  bool rvalid, rnew;  // rnew: the payload changes
  uint8_t rid, rresp;
  bool bvalid;
  uint8_t bid, bresp;
};

class Memory {
 public:
  explicit Memory(Oracle &oracle) : oracle_(oracle) {}
  void bind(uint8_t *data, uint64_t bytes);
  void reset();

  // Handshakes of the present cycle, before `tick`.
  void accept_read(uint64_t cycle, const Address &address);
  void accept_address(uint64_t cycle, const Address &address);
  void accept_data(uint64_t cycle, const uint8_t *line, uint64_t strobe);
  // End of cycle: `rtaken`, `btaken` say that a response was taken. Computes the pins of the next cycle.
  void tick(uint64_t cycle, bool rtaken, bool btaken);
  // After `tick`, once the next cycle is known (time may jump).
  void settle(uint64_t next);

  // Last cycle that may be skipped to: the one whose tick presents a response. kNever: nothing due.
  uint64_t next_due() const;
  bool presenting() const { return pins.rvalid || pins.bvalid; }

  MemoryPins pins{};
  std::array<uint8_t, kLine> rline{};

  uint64_t read_latency = 1, write_latency = 1, max_outstanding = 1;
  unsigned beat_cycles = 1;  // 64 / bytes_per_cycle

  uint64_t read_beats = 0, read_bytes = 0, write_beats = 0, write_bytes = 0;
  uint64_t exclusive_reads = 0, exclusive_passed = 0, exclusive_failed = 0, decode_errors = 0;

 private:
  struct Read {
    Address address;
    uint64_t due;
  };
  struct Data {
    std::array<uint8_t, kLine> line;
    uint64_t strobe;
  };
  struct Response {
    uint8_t id, resp;
    uint64_t due;
  };
  struct Monitor {
    bool valid = false;
    uint64_t pa = 0;
    uint8_t size = 0;
    std::array<uint8_t, kLine> value{};
  };

  bool inside(uint64_t pa) const { return (pa | (kLine - 1)) < bytes_; }
  void sample(uint64_t cycle, const Address &address);
  void match(uint64_t cycle);
  uint8_t perform(uint64_t cycle, const Address &address, const Data &data);

  Oracle &oracle_;
  uint8_t *data_ = nullptr;
  uint64_t bytes_ = 0;
  std::deque<Read> reads_;
  std::deque<Address> addresses_;  // write addresses without data
  std::deque<Data> beats_;         // write data without address
  std::deque<Response> responses_;
  std::array<Monitor, 256> monitors_{};
  uint64_t last_read_due_ = 0, last_response_due_ = 0, write_ready_at_ = 0;
  bool room_for_data_ = false;
};

}  // namespace harness
