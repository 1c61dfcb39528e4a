// What Verilator's run time calls for $stop, $finish, $fatal and printing.
//
// Promises: a failing assertion never ends the process; its text and cycle become the harness's error.
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "core.h"
#include "print.h"

namespace {

std::string last_printed_error;

void failed(const char *what, const char *file, int line) {
  std::string text = last_printed_error.empty() ? std::string(what) + " at " + file + ":" + std::to_string(line) : last_printed_error;
  last_printed_error.clear();
  if (harness::active != nullptr) harness::active->fail(text);
}

}  // namespace

// Everything the RTL prints passes here. The text of an assertion is kept for its $stop, which follows; the rest is passed on.
extern "C" int hil_printf(const char *format, ...) {
  char buffer[4096];
  va_list args;
  va_start(args, format);
  const int length = std::vsnprintf(buffer, sizeof buffer, format, args);
  va_end(args);
  if (std::strstr(buffer, "%Error") != nullptr) {
    last_printed_error = buffer;
    while (!last_printed_error.empty() && last_printed_error.back() == '\n') last_printed_error.pop_back();
  } else {
    std::fputs(buffer, stderr);
  }
  return length;
}

void vl_finish(const char *file, int line, const char *) { failed("$finish", file, line); }
// A failing assertion ends in $stop. With "asserts" off it is ignored: the oracle alone must then object.
void vl_stop(const char *file, int line, const char *) {
  if (harness::active == nullptr || harness::active->asserts) failed("$stop", file, line);
}
void vl_fatal(const char *file, int line, const char *, const char *message) {
  failed((std::string("fatal: ") + message).c_str(), file, line);
}
