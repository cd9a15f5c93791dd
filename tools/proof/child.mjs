// The process that verifies one promise of forebay (a file of proof/): node tools/proof/child.mjs FILE [full]. Another
// process forks it, and gets its result as a message. This process does not call `process.exit`, so that its parent
// notices a crash or a hang at the end.
const [file, counts] = process.argv.slice(2);
const send = (message) => new Promise((sent) => process.send(message, sent));

const { default: proof } = await import(file);
try {
  const log = (text) => process.send({ log: String(text) });
  const figures = await proof.prove({ full: counts === 'full', log });
  await send({ promise: proof.promise, held: true, figures: figures ?? {} });
} catch (error) {
  const reason = error instanceof Error ? error.stack : String(error);
  await send({ promise: proof.promise, held: false, figures: { reason } });
  process.exitCode = 1;
}
process.disconnect();
