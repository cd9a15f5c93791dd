/** Adds the element-wise op `softsign`, with a kernel of its own. */

import type { Change } from './change.js';

export const elementWise: Change = {
  source: 'element-wise.ts',
  files: {},
  insertions: [
    {
      file: 'src/ops/activation.ts',
      at: 'end',
      lines: `
/**
 * Returns x / (1 + |x|).
 * The result has the shape and dtype of x, which is float32 or float64.
 * @throws DTypeError if x is int32; ValueError if x is not a Node, Tensor or number
 * @function
 */
export const softsign = unary({
  name: 'softsign',
  domain: { low: -3, high: 3, gap: 0.1 },
  gradient: (g, _x, y) => mul(g, square(sub(1, abs(y)))),
});
`,
    },
    {
      file: 'src/ops/activation.ts',
      before: "from './elementwise.js'",
      lines: "import { abs } from './arithmetic.js';\n",
    },
    {
      file: 'native/kernels/body/table.h',
      before: '// clang-format on',
      lines:
        'struct Softsign : Unary<Cost::low> { template <class T> static FOREBAY_INLINE T of(T a) { return a / (T(1) + absolute(a)); } };\n',
    },
    {
      file: 'native/kernels/body/table.h',
      after: 'floats<Softplus>("softplus"),',
      lines: '    floats<Softsign>("softsign"),\n',
    },
    {
      file: 'src/native/table.ts',
      after: "...rows('map', 2, floating, 'add sub",
      lines: "  ...rows('map', 1, floating, 'softsign'),\n",
    },
    {
      file: 'native/test/elementwise_test.cc',
      after: '{"cos", {',
      lines:
        '    {"softsign", {[](double a, double, double) { return a / (1 + std::fabs(a)); }, 2}},\n',
    },
  ],
};
