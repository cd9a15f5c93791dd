// The wait list by hand. A node waits for a gradient over each edge to a parent, sums the gradients, and sends the sum
// on. backward() does all this; here every registration and every step is explicit.
import * as fb from 'forebay';

const x = fb.parameter('x', fb.tensor(3));
const left = fb.square(x).named('left');
const right = fb.mul(x, 2).named('right');
const root = fb.add(left, right).named('root'); // x^2 + 2x: x has two parents

const waits = new fb.WaitList()
  .register(root, 'err') // the error comes from outside the graph
  .register(left, root)
  .register(right, root)
  .register(x, left)
  .register(x, right);
waits.check(root);

const pass = new fb.BackwardPass(waits);
pass.send(root, 'err', fb.constant(1));
for (let node = pass.step(); node; node = pass.step()) {
  const waiting = pass.missing(x).map(({ parent }) => `${parent}`);
  console.log(`${node} has sent; x waits for ${waiting.join(' and ') || 'no parent'}`);
}
console.log('dx =', fb.evaluate(pass.gradient(x)).item(), '(2x + 2 = 8)');

// A parent that is not registered is found before it can give a wrong gradient.
const forgetful = new fb.WaitList().register(root, 'err').register(left, root).register(x, left);
try {
  forgetful.check(root);
} catch (error) {
  console.log((error as fb.GraphError).message);
}
