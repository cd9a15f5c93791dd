// describe() returns the properties of this binary. The TypeScript side compares them with the expected
// properties.
#pragma once

#include <node_api.h>

namespace forebay {

// The version of the interface. Increment it whenever the layout of a geometry (the offsets, sizes and
// strides that a kernel gets) or the meaning of an entry point changes.
constexpr int abi = 9;

// {abi, version, kernels: [{family, name, arity, dtypes, cheap, form}], routines: [{name, reads, writes,
// integers, dtypes, lanes, mayFail, inPlace, channelsLast}], simd: {active, available}, blas: {library, core,
// threads}, panels: {float32, float64}}. The id of a kernel and of a routine is its index. A kernel that
// reduces also has {identities, rows, indexes}. src/native/table.ts says what the facts of kernels and
// routines mean. `panels` contains, for each dtype, the number of columns of a panel. (Products read a packed
// B as panels of neighbouring columns.)
napi_value describe(napi_env env, napi_callback_info info);

}  // namespace forebay
