// describe(): the properties of this binary, which the TypeScript side compares with what it expects.
#pragma once

#include <node_api.h>

namespace forebay {

// Incremented whenever the layout of a geometry or the meaning of an entry point changes.
constexpr int abi = 2;

// {abi, version, kernels: [{family, name, arity, dtypes}], simd: {active, available},
//  blas: {library, core, threads}, panels: {float32, float64}}. The id of a kernel is its index. `panels` has
// the number of columns of B that our own product kernel processes at a time.
napi_value describe(napi_env env, napi_callback_info info);

}  // namespace forebay
