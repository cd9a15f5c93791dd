// docs/situations.md, made of docs/situations.json and nothing else.
import { guidePage } from './guide.mjs';

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ');

const row = ({ name, tools, recipe, seen, says }) =>
  `| ${cell(name)} | ${cell(tools.join(', '))} | ${seen === 'works' ? 'works' : `error: ${cell(says)}`} | [recipe](${guidePage}#${recipe}) |`;

const family = ({ family: name, rows }) => `## ${name}

| situation | with | seen | how |
|---|---|---|---|
${rows.map(row).join('\n')}
`;

/** The page as text. `record` is docs/situations.json. */
export function page({ date, commit, families }) {
  return `# Where forebay works

<!-- made by proof/situations.mjs of docs/situations.json: npm run prove situations -->

In each of these situations the package, as it is published, was installed into an empty folder, and a small network
was trained and asked. Where the situation forbids what forebay needs, the error that it ends in is shown: it says what
to do. All were tried by \`npm run prove situations\` (commit ${commit}, ${date}; Linux x64), and some are in every run of
the tests. The [guide](${guidePage}) has the files and commands that were run.

${families.map(family).join('\n')}`;
}
