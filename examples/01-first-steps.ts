// A graph, its value, its gradients: everything else is built from these three.
import * as fb from 'forebay';

const x = fb.input('x', ['batch', 2]);
const w = fb.parameter('w', fb.tensor([[1], [-2]]));
const y = fb.matmul(x, w).named('y');
const loss = fb.mean(fb.square(y));

// The feeds bind the named dimensions: here 'batch' is 3.
const feeds = {
  x: [
    [1, 2],
    [3, 4],
    [5, 6],
  ],
};
console.log('y =', fb.evaluate(y, feeds).toArray());

// Gradients are nodes like any other: evaluate them, draw them, differentiate them again.
const gradient = fb.backward(loss).of(w);
console.log('dloss/dw =', fb.evaluate(gradient, feeds).toArray());

// A second derivative: the gradient of the gradient's first element.
const curvature = fb.backward(fb.slice(fb.reshape(gradient, [2]), { axis: 0, end: 1 })).of(w);
console.log('d2loss/dw0dw =', fb.evaluate(curvature, feeds).toArray());

// An error says what was expected, what came, and where.
try {
  fb.matmul(x, fb.parameter('wrong', fb.Tensor.zeros([3, 1])));
} catch (error) {
  console.log((error as fb.ShapeError).code, (error as fb.ShapeError).message);
}
