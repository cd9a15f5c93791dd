// Tests the types of tensors and inputs: their dtypes and shapes are known to TypeScript where the program states them.
// Most assertions are checked by the compiler alone. A line after `@ts-expect-error` must not type-check.
import { describe, expect, expectTypeOf, it } from 'vitest';
import * as fb from '../../src/index.js';

const floats = new Float32Array([1, 2]);
const doubles = new Float64Array([1, 2]);
/** Only its type is used: values of these types in a call that is never made. */
const unmade = (_call: () => unknown) => undefined;

describe('the type of a tensor', () => {
  it('has the typed array of its dtype', () => {
    expectTypeOf<fb.Tensor<'float32'>['data']>().toEqualTypeOf<Float32Array>();
    expectTypeOf<fb.Tensor<'float64'>['data']>().toEqualTypeOf<Float64Array>();
    expectTypeOf<fb.Tensor<'int32'>['data']>().toEqualTypeOf<Int32Array>();
    expectTypeOf<fb.Tensor<'bool'>['data']>().toEqualTypeOf<Uint8Array>();
    expectTypeOf<fb.Tensor<'uint8'>['data']>().toEqualTypeOf<Uint8Array>();
    expectTypeOf<fb.Tensor['data']>().toEqualTypeOf<fb.TypedArray>();
    expectTypeOf<fb.Tensor['dtype']>().toEqualTypeOf<fb.DType>();
  });

  it('is accepted as a tensor of any dtype, but not as one of another dtype', () => {
    expectTypeOf<fb.Tensor<'float32'>>().toExtend<fb.Tensor>();
    expectTypeOf<fb.Tensor>().not.toExtend<fb.Tensor<'float32'>>();
    expectTypeOf<fb.Tensor<'float64'>>().not.toExtend<fb.Tensor<'float32'>>();
  });

  it('follows from the argument of `tensor`', () => {
    expectTypeOf(fb.tensor(1)).toEqualTypeOf<fb.Tensor<'float32'>>();
    expectTypeOf(fb.tensor([[1, 2], [3]].slice(0, 1))).toEqualTypeOf<fb.Tensor<'float32'>>();
    expectTypeOf(fb.tensor(doubles)).toEqualTypeOf<fb.Tensor<'float64'>>();
    expectTypeOf(fb.tensor(new Int32Array(2), { shape: [2, 1] })).toEqualTypeOf<
      fb.Tensor<'int32'>
    >();
    expectTypeOf(fb.tensor([1], { dtype: 'float64' })).toEqualTypeOf<fb.Tensor<'float64'>>();
    expectTypeOf(fb.tensor(new Uint8Array(2))).toEqualTypeOf<fb.Tensor<'uint8'>>();
    expectTypeOf(fb.tensor(new Uint8Array(2), { dtype: 'bool' })).toEqualTypeOf<
      fb.Tensor<'bool'>
    >();
    expectTypeOf(fb.tensor([[true], [false]])).toEqualTypeOf<fb.Tensor<'bool'>>();
    expectTypeOf(fb.tensor(fb.tensor(doubles))).toEqualTypeOf<fb.Tensor<'float64'>>();
    expectTypeOf(fb.tensor([[true], [false]])).toEqualTypeOf<fb.Tensor<'bool'>>();
    expectTypeOf(fb.tensor(new Uint8Array(2))).toEqualTypeOf<fb.Tensor<'uint8'>>();
    expectTypeOf(fb.tensor(new Uint8Array(2), { dtype: 'bool' })).toEqualTypeOf<
      fb.Tensor<'bool'>
    >();
    const plain = JSON.parse('{ "dtype": "int32", "shape": [], "data": [1] }') as fb.PlainTensor;
    expectTypeOf(fb.tensor(plain)).toEqualTypeOf<fb.Tensor>();
    // The innermost arrays may be typed arrays, which set the dtype.
    expectTypeOf(fb.tensor([doubles] as fb.NestedData)).toEqualTypeOf<fb.Tensor>();
    expectTypeOf(fb.tensor([doubles])).toEqualTypeOf<fb.Tensor>();
  });

  it('does not follow from where the tensor is used', () => {
    // @ts-expect-error the list becomes a tensor of float32
    const made: fb.Tensor<'float64'> = fb.tensor([1]);
    expect(made.dtype).toBe('float32');
    // @ts-expect-error zeros are float32 by default
    const zeros: fb.Tensor<'int32'> = fb.Tensor.zeros([1]);
    expect(zeros.dtype).toBe('float32');
  });

  it('follows from the option dtype of zeros, ones and full', () => {
    expectTypeOf(fb.Tensor.zeros([2])).toEqualTypeOf<fb.Tensor<'float32'>>();
    expectTypeOf(fb.Tensor.ones([2], {})).toEqualTypeOf<fb.Tensor<'float32'>>();
    expectTypeOf(fb.Tensor.full([2], 1, { dtype: 'int32' })).toEqualTypeOf<fb.Tensor<'int32'>>();
    const dtype = 'float64' as fb.DType;
    expectTypeOf(fb.Tensor.zeros([2], { dtype })).toEqualTypeOf<fb.Tensor>();
    expectTypeOf(fb.tensor(1, { dtype })).toEqualTypeOf<fb.Tensor>();
  });

  it('is kept by JSON', () => {
    expectTypeOf(fb.tensor(floats).toJSON().dtype).toEqualTypeOf<'float32'>();
    expectTypeOf(fb.tensor(fb.tensor(doubles).toJSON())).toEqualTypeOf<fb.Tensor<'float64'>>();
  });

  it('of a constructed tensor is stated, and must fit the memory', () => {
    expectTypeOf(new fb.Tensor<'float32'>(floats).data).toEqualTypeOf<Float32Array>();
    expectTypeOf(new fb.Tensor(floats)).toEqualTypeOf<fb.Tensor>();
    // @ts-expect-error the memory holds float64
    unmade(() => new fb.Tensor<'float32'>(doubles));
  });
});

describe('TensorLike<D>', () => {
  it('refuses what is known to have another dtype', () => {
    expectTypeOf<fb.Tensor<'float64'>>().not.toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<Float64Array>().not.toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<Float64Array[]>().not.toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<boolean>().not.toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<boolean[]>().not.toExtend<fb.TensorLike<'uint8'>>();
    expectTypeOf<string>().not.toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<undefined>().not.toExtend<fb.TensorLike<'float32'>>();
  });

  it('accepts what has this dtype, is converted to it, or has a dtype that is not known', () => {
    expectTypeOf<fb.Tensor<'float32'>>().toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<fb.Tensor>().toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<fb.PlainTensor>().toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<fb.JsonTensor>().toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<Float32Array | number | number[][]>().toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<Float32Array[] | Int16Array>().toExtend<fb.TensorLike<'float32'>>();
    expectTypeOf<boolean[][] | Uint8Array>().toExtend<fb.TensorLike<'bool'>>();
    expectTypeOf<boolean[]>().toExtend<fb.TensorLike>();
    expectTypeOf<fb.TensorLike<'float32'>>().toExtend<fb.TensorLike>();
  });
});

describe('the type of an input', () => {
  it('has the dtype and the dimensions', () => {
    const x = fb.input('x', ['batch', 784]);
    expectTypeOf(x).toEqualTypeOf<fb.Input<'float32', readonly ['batch', 784]>>();
    expectTypeOf(x.shape).toEqualTypeOf<readonly ['batch', 784]>();
    const labels = fb.input('labels', ['batch'], { dtype: 'int32' });
    expectTypeOf(labels).toEqualTypeOf<fb.Input<'int32', readonly ['batch']>>();
    expect([x.shape, x.dtype, labels.dtype]).toEqual([['batch', 784], 'float32', 'int32']);
  });

  it('is loose where the dimensions or the dtype are not literals', () => {
    const shape: fb.Dim[] = ['batch', 2];
    expectTypeOf(fb.input('x', shape)).toEqualTypeOf<fb.Input<'float32', readonly fb.Dim[]>>();
    const dtype = 'float64' as fb.DType;
    expectTypeOf(fb.input('x', [2], { dtype })).toEqualTypeOf<fb.Input<fb.DType, readonly [2]>>();
    expectTypeOf(fb.input('x', shape, { dtype })).toExtend<fb.Input>();
    expectTypeOf<fb.Input<'int32', readonly ['batch']>>().toExtend<fb.Input>();
    expectTypeOf<fb.Input>().toExtend<fb.Node>();
    // @ts-expect-error a dimension is a number or a name
    unmade(() => fb.input('x', [true]));
    // @ts-expect-error no such dtype
    unmade(() => fb.input('x', [1], { dtype: 'float16' }));
  });
});

describe('the type of a parameter, a state or a constant', () => {
  it('has the dtype of its value', () => {
    expectTypeOf(fb.parameter('w', [1]).value).toEqualTypeOf<fb.Tensor<'float32'>>();
    expectTypeOf(fb.parameter('w', doubles).value.data).toEqualTypeOf<Float64Array>();
    const init = fb.initializers.zeros();
    expectTypeOf(fb.parameter('w', { shape: [2], init }).dtype).toEqualTypeOf<'float32'>();
    const w = fb.parameter('w', { shape: [2], init, dtype: 'float64' });
    expectTypeOf(w).toEqualTypeOf<fb.Variable<'float64'>>();
    expectTypeOf(fb.state('s', 1)).toEqualTypeOf<fb.Variable<'float32'>>();
    expectTypeOf(fb.state('s', [1], { dtype: 'int32' }).dtype).toEqualTypeOf<'int32'>();
    expectTypeOf(fb.constant(floats).value.data).toEqualTypeOf<Float32Array>();
    expect([w.dtype, fb.state('s', [1], { dtype: 'int32' }).dtype]).toEqual(['float64', 'int32']);
  });

  it('is the dtype that it has at run time, also for bytes and booleans', () => {
    const bytes = Uint8Array.of(1, 2);
    expectTypeOf(fb.parameter('w', bytes)).toEqualTypeOf<fb.Variable<'uint8'>>();
    expectTypeOf(fb.parameter('w', [true, false])).toEqualTypeOf<fb.Variable<'bool'>>();
    for (const [value, dtype] of [
      [bytes, 'uint8'],
      [[bytes], 'uint8'],
      [[true, false], 'bool'],
      [true, 'bool'],
      [doubles, 'float64'],
      [Int8Array.of(-1), 'float32'],
      [[1], 'float32'],
    ] as const) {
      const leaves = [fb.parameter('w', value), fb.state('s', value), fb.constant(value)];
      expect(leaves.map((leaf) => leaf.dtype)).toEqual([dtype, dtype, dtype]);
    }
  });

  it('is loose where the value or the dtype is not a literal, and is accepted as any variable', () => {
    const value = [1] as fb.TensorLike;
    expectTypeOf(fb.state('s', value)).toEqualTypeOf<fb.Variable>();
    expectTypeOf(
      fb.parameter('p', value as fb.TensorLike | fb.ParameterOptions),
    ).toEqualTypeOf<fb.Variable>();
    const options: fb.ParameterOptions = { shape: [1], init: fb.initializers.zeros() };
    expectTypeOf(fb.parameter('p', options)).toEqualTypeOf<fb.Variable>();
    const all: fb.Variable[] = [fb.parameter('w', 1), fb.state('s', doubles)];
    for (const variable of all) variable.set(variable.value);
    expectTypeOf<fb.Variable>().not.toExtend<fb.Variable<'float32'>>();
    // @ts-expect-error no such option
    unmade(() => fb.parameter('w', { shape: [2], initializer: init }));
  });

  it('gives the types of values that are evaluated and of outputs', () => {
    const w = fb.parameter('w', [1]);
    expectTypeOf(fb.compile({ outputs: { w } }).run().w).toEqualTypeOf<fb.Tensor<'float32'>>();
  });
});
