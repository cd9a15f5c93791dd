// describe(): what this binary is, for the TypeScript side to hold against what it was written for.
#pragma once

#include <node_api.h>

namespace forebay {

// Raised whenever a geometry's layout or the meaning of an entry point changes.
constexpr int abi = 2;

// {abi, version, kernels: [{family, name, arity, dtypes}], simd: {active, available},
//  blas: {library, core, threads}, panels: {float32, float64}}; a kernel's id is its index, a panel's figure
// the columns of B that the product's own kernel takes at a time.
napi_value describe(napi_env env, napi_callback_info info);

}  // namespace forebay
