// Makes the text of docs/situations.md. Its only source is docs/situations.json.
import { guidePage } from './guide.mjs';

const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ');

const row = ({ name, tools, recipe, seen, says }) =>
  `| ${cell(name)} | ${cell(tools.join(', '))} | ${seen === 'works' ? 'works' : `error: ${cell(says)}`} | [recipe](${guidePage}#${recipe}) |`;

const family = ({ family: name, rows }) => `## ${name}

| situation | versions | result | recipe |
|---|---|---|---|
${rows.map(row).join('\n')}
`;

/** Returns the page as text. `record` is the content of docs/situations.json. */
export function page({ date, commit, families }) {
  return `# Where forebay works

<!-- made by proof/situations.mjs from docs/situations.json: npm run prove situations -->

In each of these situations the package, in the form in which it is published, was installed into an empty folder. Then a
small network was trained and made a prediction. In some situations forebay cannot work. For these the table shows the
error, which says what to do; \`APP\` is the folder of the project.

\`npm run prove situations\` tries all of them and writes this page. The results are those of commit ${commit}, ${date},
on Linux x64. Every run of the tests tries some of them. The [guide](${guidePage}) has the files and commands.

${families.map(family).join('\n')}`;
}
