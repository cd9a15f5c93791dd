// Support for the tests of programs that are refused.
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "test/program_support.h"

namespace forebay::test {

// Returns a program with one instruction and four buffers of 256 bytes: 0 arena, 1 variable, 2 constant, 3
// feed. For instructions that use panels, the arena is larger, because the size of panels depends on the
// machine.
inline Code with(Operation operation, const Code::Numbers& body, bool writing = false) {
  Code code;
  const bool panels = operation == pack || operation == packedProduct;
  for (const BufferKind kind : {arena, variable, constant, feed}) {
    code.buffer(kind, panels && kind == arena ? 4096 : 256);
  }
  if (writing) code.writesBegin();
  code.add(operation, {body});
  return code;
}

inline void refuses(const Code& code, const std::string& why) {
  const std::string text = refusal(code);
  CAPTURE(text);
  CAPTURE(why);
  CHECK(text.find("program") == 0);
  CHECK(text.find(why) != std::string::npos);
}

// A change of one number in the body of a valid instruction, and a part of the expected message.
struct Change {
  std::size_t at;
  double number;
  const char* why;
};

inline void refusesEach(Operation operation, const Code::Numbers& body, const std::vector<Change>& changes,
                        const std::string& name, bool writing = false) {
  CHECK(refusal(with(operation, body, writing)) == "");
  for (const Change& change : changes) {
    Code::Numbers changed = body;
    REQUIRE(change.at < body.size());
    changed[change.at] = change.number;
    CAPTURE(change.at);
    refuses(with(operation, changed, writing), "instruction 0 (" + name + ")");
    refuses(with(operation, changed, writing), change.why);
  }
  // Also tries, at every position, numbers that are not integers or are out of range, and missing numbers.
  for (std::size_t at = 0; at < body.size(); ++at) {
    for (const double bad :
         {0.5, -3e5, 1e300, 9007199254740992.0, -std::numeric_limits<double>::infinity(), std::nan("")}) {
      Code::Numbers changed = body;
      changed[at] = bad;
      CAPTURE(at);
      CAPTURE(bad);
      refuses(with(operation, changed, writing), "instruction 0 (" + name + ")");
    }
  }
  for (std::size_t length = 0; length < body.size(); ++length) {
    const Code::Numbers shorter(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(length));
    refuses(with(operation, shorter, writing), "instruction 0 (" + name + ")");
  }
  Code::Numbers longer = body;
  longer.push_back(0);
  refuses(with(operation, longer, writing), "instruction 0 (" + name + ")");
}

}  // namespace forebay::test
