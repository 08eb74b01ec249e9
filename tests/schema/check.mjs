// Drives a real YAML language server over LSP, as an editor does, with the schemas of docs/schema: what is valid has no
// mark, what is structurally wrong has one on its line, completion proposes what may be written, hovering explains it.
//
//   node check.mjs SERVER [--accept]     SERVER: the package yaml-language-server, unpacked with what it needs
//
// `--accept` writes tests/schema/unseen.txt anew: the invalid cases whose fault no schema can see.

import { spawn } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync, existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { dialogue } from './dialogue.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, '../..');
const accept = process.argv.includes('--accept');
const schemas = Object.fromEntries(
  ['runbook', 'steps', 'inventory', 'scenario'].map((kind) => [kind, join(root, `docs/schema/${kind}.schema.json`)]),
);

/** A server, spoken to in the language server protocol. */
class Server {
  constructor(program) {
    this.child = spawn(process.execPath, [program, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.waiting = new Map();
    this.diagnosed = new Map();
    this.next = 1;
    this.buffer = Buffer.alloc(0);
    this.child.stdout.on('data', (chunk) => this.take(chunk));
    this.child.on('exit', (code) => { if (!this.over) { console.error(`the server ended with ${code}`); process.exit(1); } });
  }

  take(chunk) {
    this.buffer = Buffer.concat([this.buffer, chunk]);
    for (;;) {
      const end = this.buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(this.buffer.subarray(0, end).toString())[1]);
      if (this.buffer.length < end + 4 + length) return;
      const message = JSON.parse(this.buffer.subarray(end + 4, end + 4 + length).toString());
      this.buffer = this.buffer.subarray(end + 4 + length);
      this.hear(message);
    }
  }

  hear(message) {
    if (message.method === 'workspace/configuration') {
      const answer = { yaml: this.settings(), http: {}, editor: {}, files: {} };
      this.send({ id: message.id, result: message.params.items.map((item) => answer[item.section.split('.')[0].replace('[', '')] ?? null) });
    } else if (message.method === 'textDocument/publishDiagnostics') {
      this.diagnosed.get(message.params.uri)?.(message.params.diagnostics);
    } else if (message.method && message.id !== undefined) {
      this.send({ id: message.id, result: null });
    } else if (this.waiting.has(message.id)) {
      const { yes, no } = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (message.error) no(new Error(JSON.stringify(message.error))); else yes(message.result);
    }
  }

  settings() {
    // A document's directory says which schema it has, unless its first line does.
    const associations = Object.fromEntries(
      Object.entries(schemas).map(([kind, file]) => [pathToFileURL(file).href, `/virtual/${kind}/*.yaml`]),
    );
    return {
      schemas: associations, schemaStore: { enable: false }, validate: true, hover: true, completion: true,
      format: { enable: false }, yamlVersion: '1.2',
    };
  }

  send(message) {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  ask(method, params) {
    const id = this.next++;
    this.send({ id, method, params });
    return new Promise((yes, no) => this.waiting.set(id, { yes, no }));
  }

  tell(method, params) { this.send({ method, params }); }

  async begin() {
    await this.ask('initialize', {
      processId: process.pid,
      rootUri: pathToFileURL(root).href,
      capabilities: {
        workspace: { configuration: true },
        textDocument: {
          completion: { completionItem: { snippetSupport: true, documentationFormat: ['markdown', 'plaintext'] } },
          hover: { contentFormat: ['markdown'] },
          publishDiagnostics: {},
        },
      },
    });
    this.tell('initialized', {});
    this.tell('workspace/didChangeConfiguration', { settings: { yaml: this.settings() } });
  }

  /** The marks of a document, in the order of their lines. */
  open(uri, text) {
    const marks = new Promise((yes) => this.diagnosed.set(uri, yes));
    this.tell('textDocument/didOpen', { textDocument: { uri, languageId: 'yaml', version: 1, text } });
    return marks.then((found) => found.sort((a, b) => a.range.start.line - b.range.start.line || a.range.start.character - b.range.start.character || (a.message < b.message ? -1 : 1)));
  }

  async end() {
    this.over = true;
    await this.ask('shutdown', null);
    this.tell('exit', null);
    this.child.stdin.end();
  }
}

const failures = [];
const fail = (text) => { failures.push(text); };
const shown = (marks) => marks.map((mark) => `  ${mark.range.start.line + 1}: ${mark.message}`).join('\n');

const kinds = { Runbook: 'runbook', Steps: 'steps', Inventory: 'inventory', Scenario: 'scenario' };
const kindOf = (text) => kinds[/^kind: *"?(\w+)/m.exec(text)?.[1]];
const files = (dir) => readdirSync(join(root, dir)).filter((name) => name.endsWith('.yaml')).map((name) => join(dir, name));

/** What is shipped names its schema by itself. */
async function shipped(server) {
  const names = [...files('runbooks'), ...files('runbooks/steps'), ...files('scenarios'), 'inventory.example.yaml'];
  await Promise.all(names.map(async (name) => {
    const text = readFileSync(join(root, name), 'utf8');
    if (!text.startsWith('# yaml-language-server: $schema=')) fail(`${name} does not name its schema in its first line`);
    const marks = await server.open(pathToFileURL(join(root, name)).href, text);
    if (marks.length) fail(`${name} is valid, and the schema says:\n${shown(marks)}`);
  }));
  return names.length;
}

async function valid(server) {
  const names = [...files('tests/it/cases/valid'), ...(existsSync(join(root, 'tests/it/cases/valid/steps')) ? files('tests/it/cases/valid/steps') : [])];
  await Promise.all(names.map(async (name) => {
    const text = readFileSync(join(root, name), 'utf8');
    const marks = await server.open(`file:///virtual/${kindOf(text)}/${name.replaceAll('/', '_')}`, text);
    if (marks.length) fail(`${name} is valid, and the schema says:\n${shown(marks)}`);
  }));
  return names.length;
}

/** Every fault that stands in the structure of a file is seen; the others are listed. */
async function invalid(server) {
  const list = join(here, 'unseen.txt');
  const head = readFileSync(list, 'utf8').split('\n').filter((line) => line.startsWith('#'));
  const listed = new Set(readFileSync(list, 'utf8').split('\n').filter((line) => line && !line.startsWith('#')));
  const unseen = [];
  const names = files('tests/it/cases/invalid');
  await Promise.all(names.map(async (name) => {
    const short = name.split('/').pop();
    const text = readFileSync(join(root, name)).toString('utf8');
    const kind = kindOf(text) ?? (short.startsWith('inventory') ? 'inventory' : short.startsWith('scenario') ? 'scenario' : 'runbook');
    const marks = await server.open(`file:///virtual/${kind}/${short}`, text);
    if (!marks.length) unseen.push(short);
    if (!marks.length && !listed.has(short) && !accept) fail(`${name} has a fault that the schema does not see: say it there, or list the file in tests/schema/unseen.txt`);
    if (marks.length && listed.has(short) && !accept) fail(`${name} is listed in tests/schema/unseen.txt, and the schema sees its fault:\n${shown(marks)}`);
  }));
  for (const name of listed) if (!names.some((found) => found.endsWith(`/${name}`)) && !accept) fail(`tests/schema/unseen.txt lists ${name}, which is gone`);
  if (accept) writeFileSync(list, [...head, ...unseen.sort(), ''].join('\n'));
  return names.length;
}

const place = (text) => {
  const at = text.indexOf('‸');
  const before = text.slice(0, at);
  const line = before.split('\n').length - 1;
  return { text: text.replace('‸', ''), position: { line, character: at - before.lastIndexOf('\n') - 1 } };
};

async function talk(server) {
  await Promise.all(dialogue.map(async ({ name, kind, text, marks, proposes, never, hover }, number) => {
    const { text: plain, position } = text.includes('‸') ? place(text) : { text };
    const uri = `file:///virtual/${kind}/dialogue-${number}.yaml`;
    const found = await server.open(uri, plain);
    if (marks) {
      const same = found.length === marks.length && marks.every(([line, words], index) => found[index].range.start.line + 1 === line && found[index].message.includes(words));
      if (!same) fail(`${name}: expected marks\n${marks.map(([line, words]) => `  ${line}: ${words}`).join('\n')}\nfound\n${shown(found)}`);
    }
    if (proposes || never) {
      const answer = await server.ask('textDocument/completion', { textDocument: { uri }, position });
      const labels = (answer?.items ?? []).map((item) => item.label);
      for (const label of proposes ?? []) if (!labels.includes(label)) fail(`${name}: does not propose ${label}, but ${labels.join(', ')}`);
      for (const label of never ?? []) if (labels.includes(label)) fail(`${name}: proposes ${label}`);
    }
    for (const words of hover ?? []) {
      const answer = await server.ask('textDocument/hover', { textDocument: { uri }, position });
      const value = answer?.contents?.value ?? '';
      if (!value.includes(words)) fail(`${name}: hovering shows no ${JSON.stringify(words)}, but\n${value}`);
    }
  }));
  return dialogue.length;
}

const server = new Server(join(process.argv[2], 'bin/yaml-language-server'));
await server.begin();
const counts = [await shipped(server), await valid(server), await invalid(server), await talk(server)];
await server.end();
for (const failure of failures) console.error(`error: ${failure}`);
console.error(`schema-check: ${counts[0]} shipped files, ${counts[1]} valid and ${counts[2]} invalid cases, ${counts[3]} questions of an editor: ${failures.length ? `${failures.length} wrong` : 'all well'}`);
process.exitCode = failures.length ? 1 : 0;
