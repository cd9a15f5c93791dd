// A command with a single demo, which takes a minute. The command uses the built code, as users do.
import { main } from '../../dist/cli/shell.mjs';

const demo = {
  name: 'hang',
  summary: 'never ends',
  options: {},
  run({ write, say }) {
    write('begun.txt', 'begun\n');
    say('hanging');
    return new Promise((done) => setTimeout(done, 60_000));
  },
};
const { stdout, stderr } = process;
void main(process.argv.slice(2), {
  stdout,
  stderr,
  demos: { hang: () => Promise.resolve({ demo }) },
});
