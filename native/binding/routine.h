// The entry point for a single call of a routine, which the reference executor makes.
#pragma once

#include <node_api.h>

namespace forebay {

// routine(geometry, report, ...reads, ...writes): computes one call of a routine. `geometry` is the code of
// the instruction `routine` without its opcode and length (program/code.h), where buffer i is the i-th array
// after `report`. Returns true, or false if an index is out of range: then `report`, a Float64Array of
// failureNumbers elements, has the numbers of the failure, and the writes have unspecified values. If a write
// overlaps another array in memory, the values are unspecified.
napi_value routine(napi_env env, napi_callback_info info);

}  // namespace forebay
