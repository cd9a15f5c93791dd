// The process in which one promise is shown: node tools/proof/child.mjs FILE [full], forked, so that what
// came of it goes back as a message. It ends by itself, for an end that crashes or hangs is found out so.
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
