// A bare loop around the harness: the requests a run made, played again without software. What the model costs by itself.
//
//   hil_bare REQUESTS FRAMES CYCLES [SETTING=VALUE ...]
//
// REQUESTS holds hil_request_t records, FRAMES is the size of host memory, CYCLES where the run ended; settings as for hil_configure.
//
// Promises: the pins see in each cycle what they saw in the recorded run, provided nothing the device did depended on the contents
//   of memory (which start as zero here, and which only the device writes). The last line printed is JSON: `seconds` of the loop
//   alone, `cycles` and every counter; equal counters show that the traffic was the same.
// Needs: the oracle off, for nobody tells it who may touch what.
// Costs: what it measures. Every request is queued before the clock starts.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "hil.h"

namespace {

constexpr uint64_t kFrame = uint64_t{1} << HIL_PAGE_SHIFT;
constexpr uint32_t kMaxEvents = 256;

[[noreturn]] void fail(const std::string &text) {
  std::fprintf(stderr, "hil_bare: %s\n", text.c_str());
  std::exit(2);
}

void check(hil_t *h, int result) {
  if (result < 0) fail(hil_last_error(h));
}

uint64_t number(const char *text) {
  char *end = nullptr;
  const uint64_t value = std::strtoull(text, &end, 10);
  if (end == text || *end != '\0') fail(std::string(text) + " is not a number");
  return value;
}

std::vector<hil_request_t> read_requests(const char *path) {
  std::FILE *file = std::fopen(path, "rb");
  if (file == nullptr) fail(std::string("cannot read ") + path);
  std::vector<hil_request_t> requests;
  hil_request_t request;
  while (std::fread(&request, sizeof request, 1, file) == 1) requests.push_back(request);
  std::fclose(file);
  return requests;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc < 4) fail("usage: hil_bare REQUESTS FRAMES CYCLES [SETTING=VALUE ...]");
  const std::vector<hil_request_t> requests = read_requests(argv[1]);
  const uint64_t frames = number(argv[2]), cycles = number(argv[3]);

  std::vector<uint8_t> memory(frames * kFrame);
  std::vector<uint64_t> shadow(2 * frames);
  const uint32_t nobody = 0;
  hil_t *h = hil_create();
  check(h, hil_bind_memory(h, 0, memory.data(), memory.size()));
  check(h, hil_bind_shadow(h, 0, shadow.data(), frames, 0, &nobody, 1));
  check(h, hil_configure(h, "oracle", 0));
  for (int i = 4; i < argc; ++i) {
    const std::string setting = argv[i];
    const size_t equals = setting.find('=');
    if (equals == std::string::npos) fail(setting + " is no SETTING=VALUE");
    check(h, hil_configure(h, setting.substr(0, equals).c_str(), number(setting.c_str() + equals + 1)));
  }
  check(h, hil_submit(h, requests.data(), static_cast<uint32_t>(requests.size())));

  std::vector<hil_event_t> events(kMaxEvents);
  const auto started = std::chrono::steady_clock::now();
  while (hil_cycle(h) < cycles) check(h, hil_advance(h, cycles, events.data(), kMaxEvents));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - started;

  std::printf("{\"seconds\": %.6f, \"cycles\": %llu", seconds.count(), static_cast<unsigned long long>(hil_cycle(h)));
  for (uint32_t i = 0; hil_statistic_name(i) != nullptr; ++i) {
    std::printf(", \"%s\": %llu", hil_statistic_name(i), static_cast<unsigned long long>(hil_statistic(h, i)));
  }
  std::printf("}\n");
  hil_destroy(h);
  return 0;
}
