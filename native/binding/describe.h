// describe(): what this binary is, for the TypeScript side to hold against what it was written for.
#pragma once

#include <napi.h>

namespace forebay {

// Raised whenever a geometry's layout or the meaning of an entry point changes.
constexpr int abi = 1;

// {abi, version, kernels: [{family, name, arity, dtypes}], simd: {active, available},
//  blas: {library, core, threads}}; a kernel's id is its index.
Napi::Value describe(const Napi::CallbackInfo& info);

}  // namespace forebay
