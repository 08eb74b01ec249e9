// What an author types, and what the editor shows: `‸` is the cursor. `marks` are all of them, each with its line.

const head = 'apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: t }\nkube: { via: control_plane }\n';
const phase = `${head}phases:\n  - name: p\n    hosts: workers\n    steps:\n`;
const rollout = (line) => `${head}phases:\n  - name: p\n    hosts: workers\n    rollout:\n      ${line}\n    steps:\n      - uncordon: {}\n`;
const step = (line) => `${phase}      - ${line}\n`;
const fault = (line) => `apiVersion: rollbook/v1\nkind: Scenario\nmetadata: { name: s }\nfaults:\n  - ${line}\n`;

/** One line of a step or a rollout, and the words of its mark; none where it is well. */
const lines = (make, number, rows) => rows.map(([line, words]) => ({
  name: line, kind: 'runbook', text: make(line), marks: words ? [[number, words]] : [],
}));

export const dialogue = [
  {
    name: 'the kinds of a step are proposed', kind: 'runbook', text: step('‸'),
    proposes: ['drain', 'apt', 'apt_mark', 'kubeadm', 'systemctl', 'wait', 'command', 'include', 'when', 'id'],
    never: ['apt-mark', 'phases'],
  },
  {
    name: 'so they are while one is typed', kind: 'runbook', text: step('dr‸'), proposes: ['drain'],
  },
  {
    name: 'once there is a kind, its fields are proposed', kind: 'runbook', text: step('drain:\n          ‸'),
    proposes: ['timeout', 'delete_emptydir_data', 'reason'], never: ['drain', 'when'],
  },
  {
    name: 'beside a kind stand common keys, and no second kind', kind: 'runbook', text: step('drain: {}\n        ‸'),
    proposes: ['when', 'timeout', 'retry', 'id'], never: ['cordon', 'apt', 'drain'],
  },
  {
    name: 'words of a field are proposed', kind: 'runbook', text: step('kubeadm:\n          upgrade: ‸'),
    proposes: ['apply', 'node'],
  },
  {
    name: 'words of a key are proposed', kind: 'runbook', text: rollout('on_failure: ‸'),
    proposes: ['halt', 'freeze'],
  },
  {
    name: 'types of a parameter are proposed', kind: 'runbook', text: `${head}params:\n  target:\n    type: ‸\nphases: []\n`,
    proposes: ['version', 'duration', 'enum', 'list'],
  },
  {
    name: 'rules of the linter are proposed', kind: 'runbook', text: `${head}policy:\n  allow:\n    ‸\nphases: []\n`,
    proposes: ['no-etcd-snapshot', 'drain-without-timeout'],
  },
  {
    name: 'faults are proposed, with what they do', kind: 'scenario', text: fault('fault: ‸'),
    proposes: ['link_lost', 'never_finishes'], never: ['link-lost'],
  },
  {
    name: 'fields of a fault are proposed', kind: 'scenario', text: fault('fault: package_missing\n    host: w1\n    ‸'),
    proposes: ['package', 'version', 'after'], never: ['component', 'exit'],
  },
  { name: 'a kind explains itself', kind: 'runbook', text: step('dra‸in: { timeout: 5m }'), hover: ['Evicts', '```yaml'] },
  { name: 'a field explains itself', kind: 'runbook', text: step('drain: { time‸out: 5m }'), hover: ['long'] },
  { name: 'a common key explains itself', kind: 'runbook', text: step('drain: {}\n        wh‸en: params.x'), hover: ['runs only where'] },
  { name: 'a key explains itself', kind: 'runbook', text: rollout('max_un‸available: 2'), hover: ['including those that others took out'] },
  { name: 'a key of an inventory explains itself', kind: 'inventory', text: 'apiVersion: rollbook/v1\nkind: Inventory\nmetadata: { name: t }\nconnection: { ju‸mp: bastion }\nhosts: { w1: {} }\n', hover: ['ProxyJump'] },

  ...lines(step, 9, [
    ['drain: {}', null],
    ['uncordon:', null],
    ['apt-mark: { hold: [kubelet] }', null],
    ['command: [ls, -l]', null],
    ['command: { argv: "{{ params.argv }}" }', null],
    ['include: steps/x.yaml', null],
    ['when: params.x', 'a step has no kind'],
    ['drain: { timout: 5m }', 'Property timout is not allowed'],
    ['drain: { timeout: 5 }', 'a duration such as 10m'],
    ['drain: { timeout: 0 }', null],
    ['drain: { timeout: 1h30m }', null],
    ['drain: { timeout: 30m1h }', 'a duration such as 10m'],
    ['drain: { timeout: 500ms }', null],
    ['drain: { timeout: "{{ params.x }}" }', null],
    ['drain: { delete_emptydir_data: yes }', 'true or false'],
    ['drain: { delete_emptydir_data: "{{ params.x }}" }', null],
    ['drain: 5m', 'Incorrect type'],
    ['kubeadm: { upgrade: aply, version: 1.31.4 }', 'Value is not accepted'],
    ['kubeadm: { upgrade: "{{ params.what }}", version: 1.31.4 }', null],
    ['kubeadm: { upgrade: node, version: v1.31.4-rc.1 }', null],
    ['kubeadm: { upgrade: node, version: "1.31.4.5" }', 'a version such as 1.31.4'],
    ['kubeadm: { upgrade: node, version: 1.30 }', null],
    ['{ drain: {}, uncordon: {} }', 'a step has one kind, and this has `drain`'],
    ['{ drain: {}, when: "{{ params.x }}" }', 'without braces'],
    ['{ drain: {}, timeout: "{{ params.x }}" }', null],
    ['{ drain: {}, retry: { attempts: 1 } }', 'minimum'],
    ['wait: { node: ready, for: 5m }', null],
  ]),
  {
    name: 'a misspelt kind is marked', kind: 'runbook', text: step('drian: {}'),
    marks: [[9, 'Property drian is not allowed'], [9, 'a step has no kind']],
  },
  ...lines(rollout, 9, [
    ['max_unavailable: 25%', null],
    ['max_unavailable: 101%', 'a count or a percentage'],
    ['max_unavailable: "{{ params.x }}"', 'a count or a percentage'],
    ['batches: [1, 25%]', null],
    ['batches: 2', null],
    ['batches: [1, x]', 'a count or a percentage'],
    ['soak: "{{ params.x }}"', 'a duration such as 10m'],
    ['on_failure: stop', 'Value is not accepted'],
    ['parallel: 0', 'minimum'],
    ['serial: 1', 'Property serial is not allowed'],
  ]),
  {
    name: 'a mark stands at its step', kind: 'runbook', text: `${phase}      - drain: {}\n      - when: params.x\n      - uncordon: {}\n`,
    marks: [[10, 'a step has no kind']],
  },
  {
    name: 'a fault has its own fields only', kind: 'scenario', text: fault('{ fault: link_lost, host: w1, component: etcd }'),
    marks: [[5, 'Property component is not allowed']],
  },
  { name: 'a fault needs whom it befalls', kind: 'scenario', text: fault('{ fault: link-lost }'), marks: [[5, 'Missing property "host"']] },
];
