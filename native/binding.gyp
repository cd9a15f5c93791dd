# The build that users run (`npx forebay build`, when the binary of the package does not load). Developers and CI build by
# CMakeLists.txt, which adds warnings as errors and the tests; keep the compiler flags the same.
{
  "targets": [
    {
      "target_name": "forebay",
      "variables": {
        "dependencies_present": "<!(node native/check-deps.cjs)",
        "version": "<!(node -p \"require('./package.json').version\")"
      },
      "sources": ["<!@(node -p \"require('./native/sources.cjs').join(' ')\")"],
      "include_dirs": [
        "native",
        "<!(node -p \"require('./native/includes.cjs')\")",
        "<!@(node native/blas.cjs includes)"
      ],
      "library_dirs": ["<!@(node native/blas.cjs folders)"],
      "libraries": ["<!@(node native/blas.cjs libraries)"],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS",
        "FOREBAY_VERSION=\"<(version)\"",
        "<!@(node native/blas.cjs defines)"
      ],
      "cflags!": ["-O2"],
      "cflags_cc!": ["-std=gnu++14", "-std=gnu++17", "-std=gnu++20", "-O2"],
      "cflags_cc": [
        "-std=c++17",
        "-O3",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-ffp-contract=off",
        "-fvisibility=hidden",
        "-ffunction-sections",
        "-fdata-sections"
      ],
      "conditions": [["OS=='linux'", { "ldflags": ["-Wl,--gc-sections"] }]],
      "xcode_settings": {
        "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
        "CLANG_CXX_LIBRARY": "libc++",
        "DEAD_CODE_STRIPPING": "YES",
        "GCC_OPTIMIZATION_LEVEL": "3",
        "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
        "MACOSX_DEPLOYMENT_TARGET": "11.0",
        "OTHER_CPLUSPLUSFLAGS": ["-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"]
      }
    }
  ]
}
