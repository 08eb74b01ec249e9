//! Every code of a diagnostic: its name, its title and what it means. `rollbook explain RB0103` and the reference page
//! of errors are made from this table.
//!
//! Ranges: 010x files and YAML, 011x structure, 02xx templates and names, 03xx runbook, 04xx inventory and selectors,
//! 05xx parameters, 06xx plans, 07xx rules of the linter, 08xx scenarios. A code is never given a second meaning; one that is no longer used keeps its row.

use super::Code;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// Its name, in words joined by hyphens: `duplicate-key`.
    pub name: &'static str,
    /// What it says, on one line.
    pub title: &'static str,
    /// A paragraph: what it means and what to do.
    pub text: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $number:literal, $name:literal, $title:literal, $text:literal;)*) => {
        $(#[doc = $title] pub const $constant: Code = Code($number);)*

        /// The table, sorted by code.
        pub const CODES: &[CodeInfo] = &[
            $(CodeInfo { code: Code($number), name: $name, title: $title, text: $text }),*
        ];
    };
}

/// The row of a code.
pub fn code_info(code: Code) -> Option<&'static CodeInfo> {
    CODES.binary_search_by_key(&code, |info| info.code).ok().map(|index| &CODES[index])
}

codes! {
    SYNTAX = 100, "yaml-syntax", "The file is not valid YAML",
        "Reading stops at the first place that cannot be YAML, so the mistake stands there or just above it: a bracket \
         or a quote that is not closed, a tab, an indentation that matches no line above.";
    EMPTY_FILE = 101, "empty-file", "The file holds nothing",
        "The file is empty or holds only comments. A runbook starts with `apiVersion: rollbook/v1` and `kind: Runbook`.";
    SEVERAL_DOCUMENTS = 102, "several-documents", "The file holds more than one document",
        "A line `---` starts a second document. Each runbook, fragment and inventory is a file of its own, so that a \
         path names exactly one of them.";
    DUPLICATE_KEY = 103, "duplicate-key", "A key is written twice",
        "Many readers of YAML silently take the last one. Which of the two was meant cannot be known, so neither is \
         preferred: remove one of them.";
    BAD_KEY = 104, "bad-key", "A key is not text",
        "Keys are words. A list, a mapping or nothing before a `:` is nearly always a template without quotes, as in \
         `version: {{ params.target }}`, which YAML reads as two nested mappings: put the value in quotes.";
    TAG = 105, "yaml-tag", "YAML tags are not supported",
        "The type of every value is known from its key, so tags such as `!!str` or `!vault` are not read. Quotes make a \
         value text.";
    ALIAS = 106, "bad-alias", "An alias repeats nothing",
        "`*name` repeats the value marked `&name` above it in the same file. A glob such as `*.example.com` must be \
         quoted.";
    MERGE_KEY = 107, "bad-merge", "`<<` merges something that is no mapping",
        "`<<: *defaults` adds the keys of a mapping that are not written out; it takes a mapping or a list of mappings.";
    BAD_CHARACTER = 108, "bad-character", "A character is not allowed",
        "Control characters, characters that reorder text on the screen and two reserved private-use characters are \
         refused, because what people review must be what runs.";
    TOO_LARGE = 109, "too-large", "The file exceeds a limit",
        "Files are bounded in bytes, in depth and in the number of values after aliases are expanded. An alias counts \
         with all that it repeats.";
    WRONG_TYPE = 110, "wrong-type", "A value is of the wrong type",
        "The message says what is expected and what was found. Values without quotes are read by the type of their key: \
         `1.30` is the version 1.30 where a version is expected and the text \"1.30\" where text is.";
    UNKNOWN_KEY = 111, "unknown-key", "A key is not known here",
        "A key that nothing reads would be a setting that silently does nothing. The nearest known key is suggested.";
    MISSING_KEY = 112, "missing-key", "A key is missing",
        "The key has no default and must be written.";
    NOT_UTF8 = 113, "not-utf8", "The file is not UTF-8",
        "The message names the first byte that is not. Save the file as UTF-8.";
    UNREADABLE = 114, "unreadable-file", "The file cannot be read",
        "No longer given: a file that cannot be read is the controller's own trouble, with exit code 1 and the system's reason.";
    TEMPLATE_SYNTAX = 200, "template-syntax", "A template or expression cannot be compiled",
        "Templates stand in `{{ }}` inside text; `when`, `that`, `until` and their like are expressions without braces. \
         Only expressions, `{% if %}`, `{% for %}` and comments exist; there is nothing to include or to define.";
    UNKNOWN_NAME = 201, "unknown-name", "A name does not exist here",
        "Every name of an expression is checked when the file is loaded, as deep as the types go. The namespaces are \
         `params`, `vars`, `args`, `host`, `facts`, `steps`, `run`, `groups` and `secrets`; which of them a place sees \
         depends on where it stands.";
    TYPE_OF_EXPRESSION = 202, "expression-type", "An expression has the wrong type",
        "The name has a known type that the place cannot take, such as a boolean where a version is expected.";
    CONSTANT_EXPRESSION = 203, "braces-in-expression", "An expression is written with braces",
        "`when`, `that` and their like are expressions already: `when: params.enabled`, without `{{ }}`.";
    SHADOWED_NAME = 204, "shadowed-name", "A loop variable hides a namespace",
        "The variable of `{% for %}` may not be called like a namespace, because the same name would then mean two \
         things in one text.";
    NOT_A_RUNBOOK = 300, "not-a-runbook", "The header is not that of the expected file",
        "Every file begins with `apiVersion: rollbook/v1` and its `kind`: `Runbook`, `Steps` for a fragment that \
         runbooks include, or `Inventory`. Playbooks and Kubernetes manifests are not read.";
    UNKNOWN_STEP_KIND = 301, "unknown-step-kind", "A step is of no known kind",
        "A step is exactly one kind, such as `drain`, plus common keys, such as `when`. `rollbook steps` lists the kinds; \
         the nearest one is suggested.";
    NO_STEP_KIND = 302, "no-step-kind", "A step has no kind",
        "Only common keys are written, so there is nothing to do. Add the kind, such as `drain: {}`.";
    SEVERAL_STEP_KINDS = 303, "several-step-kinds", "A step has more than one kind",
        "Which of them runs first could only be guessed. Write a list item for each.";
    NOT_A_STEP = 304, "not-a-step", "A step is not a mapping",
        "A step is a mapping with one kind key: `- drain: {}`. A bare word has neither arguments nor a place for common \
         keys.";
    STEP_RULE = 305, "step-rule", "The fields of a step do not go together",
        "Each kind has rules between its fields, such as exactly one of several. `rollbook steps KIND` shows them.";
    COMMON_KEY = 306, "common-key", "A common key does not fit this step",
        "`changed_when` and `fail_when` judge the result of a `command` or `script`; other kinds judge themselves. \
         `env` and `become` belong to kinds that run something.";
    NOT_READ_ONLY = 307, "not-read-only", "A read-only phase has a step that changes something",
        "`mode: read_only` promises that nothing is changed, whatever the parameters are. For a `command` that only \
         reads, write `effect: reads`.";
    OPEN_BRACKET = 308, "open-bracket", "A phase leaves something undone",
        "A node that a phase cordons is uncordoned in the same phase, and a package that it unholds is held again, on \
         every path: what opens without a condition is not closed under one. What has the same `when` as the step that opens \
         the bracket takes its decision, whatever the condition would say by then. Where leaving a node cordoned is the \
         purpose, `leave_cordoned: \"reason\"` on the step says so.";
    SECRET_IN_PUBLIC = 309, "secret-in-public", "A secret would be visible to others",
        "Arguments and environment of a process can be read by every user of the host and stand in sudo's log. A secret \
         reaches a host only as standard input or as the content of a file.";
    NOT_SUPPORTED_YET = 310, "not-supported-yet", "This is not supported yet",
        "The key has a meaning that this version does not carry out. It is refused instead of ignored; the hint says \
         what to write for now.";
    HABIT = 311, "other-tool", "This belongs to another tool",
        "The key is known from another tool and has no meaning here. The hint says what to write instead.";
    DUPLICATE_NAME = 312, "duplicate-name", "A name is used twice",
        "Phases are named in messages and step ids in expressions, so each names one thing. The ids of an included \
         fragment are prefixed with the id of its include.";
    INCLUDE = 313, "bad-include", "A fragment cannot be included",
        "The file is missing, lies outside the allowed directory, or includes itself. Paths stand relative to the file \
         that includes.";
    BAD_NAME = 314, "bad-name", "A name cannot be used in expressions",
        "Names of parameters, variables, secrets and ids are a letter or `_` followed by letters, digits and `_`, \
         because expressions such as `params.target` name them.";
    ROLLOUT = 315, "bad-rollout", "A rollout cannot work",
        "The message names the value. A budget of 0, for example, lets no host be taken out of service, so nothing \
         would ever start.";
    NEEDS_KUBE = 316, "needs-kube", "A step calls kubectl, and the runbook does not say where it runs",
        "`kube: { via: control_plane }` runs kubectl on a control plane of the inventory, preferring one that is not \
         being worked on; `kube: { via: controller }` runs it on the machine that runs Rollbook.";
    GATE = 317, "bad-gate", "A gate cannot open, or in two ways",
        "A gate waits for exactly one thing: a person's word (`approve`), time (`duration`) or a `check`, which is a step that \
         only looks, and looks for a time that `for` bounds.";
    RESCUE = 320, "bad-rescue", "A rescue is not written as one",
        "`rescue: { steps: […] }` holds the steps for a host that failed, and `then: ok` beside them says that a host that \
         was rescued counts as done. `always: […]` is a list.";
    RESCUE_LEAVES_OPEN = 321, "rescue-leaves-open", "A rescue calls a host done that may be out of service",
        "With `then: ok` a host counts as done once its rescue has gone well, wherever it failed. So whatever the steps of \
         the phase cordon or unhold has to be put back by `rescue` or `always`; where there is nothing to put back, those \
         steps do nothing.";
    FOR_EACH = 324, "bad-for-each", "The items of `for_each` cannot be unrolled",
        "A plan shows every task, so each item must be known when the plan is made: from what is written, from parameters, \
         variables, the inventory, or facts. What a step prints is known only when it has run. A list is bounded, too: \
         nobody reviews thousands of tasks.";
    SELECTS_NO_STEP = 326, "selects-no-step", "`--only` or `--skip` chooses nothing",
        "The word names no step, or what is chosen leaves none. Words are ids of steps and includes, tags, and names of \
         phases. A check that guards what stands behind it is left out by its own id only, and `rescue`, `always` and \
         `verify` go with the steps of their phase.";
    CUT = 327, "cut-bracket", "`--only` or `--skip` would take apart what belongs together",
        "From the step that cordons a node to the one that uncordons it, and from the one that takes a hold off to the one \
         that puts it back, steps run as a whole or not at all. The message names the words that choose all of them.";
    READS_LEFT_OUT = 328, "reads-left-out", "A step reads the result of one that `--only` or `--skip` leaves out",
        "There is no result to read: the step would never run, or run with nothing. Choose the other step, too, or leave \
         this one out as well. In `rescue` and `always` a step may ask whether another ran.";
    TEMPLATE_FILE = 330, "template-file", "A template file cannot be read",
        "The message says why: it is not there, it is a directory, or it lies outside the runbook's directory, also behind a \
         link. Paths stand relative to the file that names them, be it the runbook or a fragment.";
    TEMPLATE_PATH = 331, "template-path", "The path of a template file cannot be used",
        "A template is read and checked when the runbook is loaded, so its path is written out, relative to the file that names \
         it. What differs between hosts stands inside the template.";
    DISRUPTS_APART = 333, "disrupts-apart", "A step may disrupt a node that was not cordoned",
        "Between the step that cordons a node and the one that uncordons it, a step that disrupts the node has the same \
         `when` as the step that cordons it, or that one and more. With another one it may run where the node was not \
         cordoned, and takes the node down under its pods.";
    NOT_AN_INVENTORY = 400, "not-an-inventory", "The file is no inventory",
        "An inventory begins with `apiVersion: rollbook/v1` and `kind: Inventory`, and has `hosts:`, a mapping from host \
         names to what is known of each.";
    BAD_HOST_NAME = 401, "bad-host-name", "A host name or a range in it is not valid",
        "Host names hold ASCII letters, digits, `.`, `-` and `_`, so that no shell, path or terminal can mistake them. \
         Ranges such as `w[01:12]` include both ends and need equal padding.";
    DUPLICATE_HOST = 402, "duplicate-host", "A host is defined twice",
        "Which of the two holds could only be guessed. Ranges count with every name that they stand for.";
    BAD_GROUP = 403, "bad-group", "A group is not defined properly",
        "A group has a name of its own, which is neither `all` nor that of a host, and gets its hosts from exactly one of \
         `hosts` and `select`.";
    UNKNOWN_HOST = 404, "unknown-host", "A group names a host that is not defined",
        "`hosts:` of a group lists hosts of this inventory, with ranges. To build a group from other groups or labels, \
         write `select:`.";
    GROUPS_DISAGREE = 405, "groups-disagree", "Two groups give a host different values",
        "No group is stronger than another, so that nobody has to remember an order. Write the value at the host, or \
         change the groups so that they agree.";
    BAD_SETTING = 406, "bad-setting", "A value of the inventory cannot be used",
        "Addresses, users, ports and paths end up on ssh's command line and in its configuration, and labels in \
         selectors, so each has a strict form.";
    SHARED_HOST = 407, "shared-host", "Two hosts are one machine or one node",
        "Two hosts of the inventory have the same `node_name`. `rollbook inventory check` also tells hosts with the same address \
         and port, several with `transport: local`, and a `node_name` that is another host's name. Each of them would be worked \
         on as if the other were not there.";
    BAD_SELECTOR = 410, "bad-selector", "A selector cannot be read",
        "Selectors are names, globs and `label(key=value)`, joined by `&`, `|`, `!` and parentheses; `[0]` and `[1:]` stand \
         after a group or a closing parenthesis.";
    SELECTS_NOTHING = 411, "selects-nothing", "A selector matches nothing",
        "A name, glob or label that matches no host is a typing mistake far more often than an intention, and a run that \
         silently does nothing looks like success. `rollbook inventory list SELECTOR` tries one.";
    BAD_PARAM = 500, "bad-param", "A parameter is not declared properly",
        "The declaration contradicts itself: a default of the wrong type or outside its bounds, bounds on a type that has \
         no order, an enum without values.";
    PARAM_MISSING = 501, "param-missing", "A required parameter has no value",
        "Give it with `-p name=value`, in a `--params-file`, or in `params:` of the inventory.";
    PARAM_UNKNOWN = 502, "param-unknown", "A value is given for a parameter that does not exist",
        "The runbook declares its parameters under `params:`. A value for another name would silently do nothing.";
    PARAM_VALUE = 503, "param-value", "The value of a parameter does not fit",
        "The message names the type, the bound or the pattern, and where the value comes from. `-p` is stronger than \
         `--params-file`, which is stronger than the inventory, which is stronger than the default.";
    LIMIT = 601, "limit", "`--limit` does not fit the inventory",
        "`--limit` takes the same selector language as `hosts:`. It only narrows: hosts outside it are counted against \
         the budget and not worked on.";
    NO_HOSTS = 602, "no-hosts", "There is no host to work on",
        "Every phase of the runbook selects nothing. A run that does nothing where something was meant must not look \
         like success.";
    NOT_THE_MACHINE = 603, "not-the-machine", "A host is not the machine of its node",
        "A node is acted on only if its `status.nodeInfo.machineID` is the /etc/machine-id of the host behind the SSH \
         connection. Two addresses were swapped, or a node's name is wrong in the inventory.";
    SHARED_MACHINE = 604, "shared-machine", "Two hosts are one machine",
        "Two hosts of the inventory have the same /etc/machine-id: two names of one machine, or clones that were never \
         given an id of their own.";
    OUTAGE = 605, "control-plane-outage", "The Kubernetes API will be away",
        "With one or two control planes, upgrading one of them takes the API away for some minutes. That has to be \
         accepted in the runbook or on the command line.";
    STEP_VALUES = 606, "step-values", "A step's values cannot be worked out",
        "A template or expression of the step fails for a host: a variable that only some hosts have, or values whose \
         types do not fit. The message names the first such host.";
    STEP_MEANING = 607, "step-meaning", "A step makes no sense for a host",
        "The values have the right types and still cannot be carried out, such as a drain of a host that is no node.";
    CONTROLLER_COMMAND = 608, "controller-command", "A step runs a command on the machine that runs Rollbook",
        "`run_on: controller` runs a command as you, where your keys are. A runbook is often somebody else's: read the \
         step, then allow it with `--allow-commands`. A rehearsal needs no leave: it runs nothing.";
    ADOPT = 609, "adopt-cordons", "There is no cordon to take over",
        "`--adopt-cordons RUN` is for nodes that the run RUN left cordoned and that a phase of this plan cordons and \
         uncordons. The annotation rollbook.dev/cordoned-by of a node names the run.";
    NO_DOMAIN = 610, "no-domain", "A host does not say in which zone it stands",
        "`rollout: { topology: { key: zone } }` bounds how many zones may have hosts out of service. A host without the label \
         `zone` could be anywhere, so every host of the phase needs it, also those that `--limit` leaves out.";
    FOR_EACH_ITEMS = 611, "for-each-items", "The items of `for_each` are not known when the plan is made",
        "The list depends on a fact that an earlier step may change, or on facts at all where no host is asked; or what was \
         given is neither a list nor a mapping, or too long. Whatever a plan cannot show, a run does not do.";
    LEAVES_TOO_MANY = 613, "leaves-too-many", "A phase would leave more nodes cordoned than may be out of service",
        "A node that `leave_cordoned` leaves is out of service, whatever the reason is: it counts against `max_unavailable` until \
         the run uncordons it. A phase that leaves more of them than that would halt in its middle.";
    CONTROLLER_REBOOT = 619, "controller-reboot", "The plan restarts the machine that runs Rollbook",
        "A run that restarts its own machine is cut off in the middle. The machine is known by `connection: { transport: local }`, \
         by its /etc/machine-id, and in a pod by the node that ROLLBOOK_NODE_NAME names. As the last host of a run, alone in \
         its batch, it can be accepted with `--accept-controller-reboot`; `rollbook resume` then continues the run.";
    VERSIONS_DISAGREE = 701, "versions-disagree", "Versions of one upgrade do not go together",
        "kubeadm is installed at the version that it upgrades to; kubelet may not be newer than the API server and only so \
         many minors older; kubectl is within one minor of it; and a wait for a kubelet waits for the one that was installed.";
    APPLY_FIRST = 702, "apply-first", "`kubeadm upgrade apply` does not come once and first",
        "`apply` upgrades the cluster, once, on one control plane; every other node then runs `kubeadm upgrade node`, which \
         takes over what `apply` left in the cluster.";
    UPGRADE_ORDER = 703, "upgrade-order", "The steps of a node's upgrade are out of order",
        "kubeadm's package, `kubeadm upgrade`, drain, kubelet's package, restart, uncordon: a step that comes too early works \
         with the version before, or on a node that still has its pods.";
    UNPINNED = 704, "unpinned-package", "A package of Kubernetes has no version",
        "Without a version, each host gets what its repository holds when its turn comes: hosts of one run can end up with \
         different versions. A minor such as `1.31.*` leaves the patch open in the same way.";
    UPGRADE_WITH_NAMES = 705, "upgrade-with-names", "`apt-get upgrade` is given packages",
        "`apt-get upgrade kubelet=1.31.4-1.1` upgrades everything that the host has, not only what is named. To move one \
         package, install it.";
    PLACEHOLDER = 706, "placeholder", "A value was never filled in",
        "Text such as `<node>` or `1.31.x-00` stands in guides where a value belongs, and a variable that nothing sets leaves \
         an address with a hole in it.";
    WRONG_TOOL = 707, "wrong-tool", "A command does not have this verb or flag",
        "The words are those of another tool, or stand in the wrong order: `kubelet uncordon`, `systemctl kubelet restart`. Or a \
         flag has a letter too few: `--all-namespace`.";
    REPOSITORY_MINOR = 708, "repository-minor", "The package repository is of another minor",
        "The community publishes one repository for each Kubernetes minor. A version of another minor is not in it.";
    SKIPPED_MINOR = 709, "skipped-minor", "The control plane would leave out a minor, or go back",
        "A control plane goes through every minor, one after the other, and never back. kubeadm refuses anything else, when \
         the first half is already done.";
    DRAIN_FLAGS = 710, "drain-flags", "A drain stops at DaemonSets, or gives up more than it says",
        "Nearly every node has pods of a DaemonSet, and a drain that does not ignore them ends at once. `--force`, \
         `--delete-emptydir-data` and `--disable-eviction` lose pods, data and protection; the step `drain` asks why.";
    DRAIN_WITHOUT_TIMEOUT = 711, "drain-without-timeout", "A drain has no time limit of its own",
        "Without `--timeout`, kubectl retries an eviction that a PodDisruptionBudget refuses until somebody ends it. A `timeout` \
         beside the step `drain`, shorter than the one of the drain, kills kubectl before it can say which pod did not go.";
    NO_DAEMON_RELOAD = 712, "no-daemon-reload", "A unit is restarted before systemd has read it again",
        "After a unit file has changed, systemd goes on with the one that it has in memory until `daemon-reload`.";
    REMOVED_FLAG = 713, "removed-flag", "The target version no longer knows this",
        "A flag or a subcommand is gone in the version that the runbook upgrades to, so the command fails, or the daemon does \
         not start.";
    NO_ETCD_SNAPSHOT = 714, "no-etcd-snapshot", "Nothing saves etcd before the first `kubeadm upgrade apply`",
        "An upgrade of a control plane cannot be taken back. A snapshot is the only way to the cluster as it was.";
    DRAIN_BEFORE_APPLY = 715, "drain-before-apply", "The node is drained before `kubeadm upgrade apply`",
        "From 1.30 on, kubeadm checks the cluster's health with a Job, which needs a node that takes pods. With one control \
         plane and no worker to take it, the upgrade fails. Drain between `kubeadm upgrade apply` and kubelet's package.";
    KUBELET_BEFORE_APPLY = 716, "kubelet-before-apply", "kubelet is upgraded before the control plane",
        "A kubelet may not be newer than the API server, and its package restarts the service when it is installed.";
    NO_VERIFICATION = 717, "no-verification", "Nothing looks whether the node is well afterwards",
        "The phase restarts what runs a node's pods and never looks at the node again, so a node that does not come back is \
         found by its users.";
    UPGRADE_WITHOUT_DRAIN = 720, "upgrade-without-drain", "All packages of a node are upgraded while its pods run",
        "An upgrade of all packages replaces the container runtime, systemd and the C library, too. What restarts with them \
         takes pods away that no budget was asked about.";
    LATE_CONDITION = 721, "late-condition", "A `when` inside a bracket is about what the bracket changes",
        "Behind a step that changes a fact, `when` sees what that step made of it. A restart under `when: facts.kubelet != …` \
         is skipped once the package before it is installed. Where the fact of before is meant, give the step the `when` \
         of the step that opens the bracket: that decision stands for all. A `reboot` with `when_required: true` looks by \
         itself.";
    RESTARTS_CONTROLLER = 729, "restarts-controller", "A step restarts the machine that runs Rollbook",
        "A host with `connection: { transport: local }` is the machine that runs Rollbook, and restarting it cuts the run off. \
         Run the runbook from another machine, or leave the host out.";
    TEXT_AS_CODE = 730, "text-as-code", "A shell reads a text as code",
        "A template stands in a shell script, and its value may be any text: `;`, `$( )` or a quote in it would run. Give the \
         value by `env:` or `args`, or put it into quotes with the filter `quote`, outside of other quotes.";
    SHELL_IN_COMMAND = 731, "shell-in-command", "A command holds what only a shell understands",
        "No shell reads a `command`: an operator such as `|` or `>` is an argument, and a program's name holds no spaces. \
         Write the line as a `script`, or each word as an item of the list.";
    ALL_AT_ONCE = 740, "all-at-once", "All hosts of a phase may be out of service at once",
        "A budget of every host is no budget: drained pods find no other node, and a mistake in a new package or file reaches \
         every host before anybody sees it.";
    ASKS = 741, "asks", "A command asks, and nobody answers",
        "Commands run without a terminal and with nothing on standard input. Give the flag that answers in advance, such as \
         `-y`.";
    CERTIFICATES = 742, "certificates-not-used", "Renewed certificates do not reach the whole control plane",
        "`kubeadm certs renew` writes files on one control plane. It runs on every one of them, and each goes on with the old \
         certificates until its static pods are restarted.";
    ETCD_BY_HAND = 743, "etcd-by-hand", "An `etcdctl` command cannot work, or damages what runs",
        "etcd of kubeadm answers only clients with a certificate, and the data directory of a running etcd is not a place to \
         restore into.";
    EXCLUDED_PACKAGE = 744, "excluded-package", "A package is installed that its repository file excludes",
        "The usual repository file of Kubernetes excludes kubelet, kubeadm and kubectl, so that nothing moves them by \
         accident. To move them on purpose, add `--disableexcludes=kubernetes`.";
    CONFIG_NOT_READ = 745, "config-not-read", "A configuration is written, and its service is not restarted",
        "kubelet and container runtimes read their configuration when they start. Until then the host runs with something else \
         than its files say.";
    LEFT_OPEN = 746, "left-open", "A command takes something away that nothing puts back",
        "`kubectl drain` wants its `kubectl uncordon`, and `apt-mark unhold` its `apt-mark hold`, behind it and on the same hosts.";
    NO_KUBEADM_UPGRADE = 747, "no-kubeadm-upgrade", "kubelet is upgraded, and `kubeadm upgrade` is forgotten",
        "Packages alone do not move a control plane, nor the configuration of a node. `kubeadm upgrade apply` runs on the first \
         control plane, `kubeadm upgrade node` on every other node, both before kubelet's package.";
    REBOOT_WITHOUT_DRAIN = 748, "reboot-without-drain", "A node restarts while its pods run",
        "A reboot ends every pod of the node at once, and asks no disruption budget. `drain` moves them away first, within the \
         budgets, and `uncordon` lets the node take pods again.";
    UNKNOWN_RULE = 790, "unknown-rule", "An opt-out names no rule",
        "`allow:` takes names of rules, which stand in docs/reference/lint.md. A name that is wrong would allow nothing.";
    UNUSED_OPT_OUT = 791, "unused-opt-out", "An opt-out is not needed",
        "Nothing breaks the rule any more. What is left standing would hide the next mistake. Told by `validate`, for rules \
         that do not depend on values.";
    NOT_A_SCENARIO = 800, "not-a-scenario", "The file is no scenario",
        "A scenario begins with `apiVersion: rollbook/v1` and `kind: Scenario`, and says under `faults:` what goes wrong \
         in a rehearsal.";
    BAD_FAULT = 801, "bad-fault", "A fault cannot be read",
        "Each fault is one word, with the host that it affects and what it waits for. The reference of scenarios lists the \
         words, and what belongs to each.";
    FAULT_MISSES = 802, "fault-misses", "A fault could never strike",
        "The host, the step or the phase that it names is not there, so the rehearsal would go as if nothing were wrong. \
         Hosts go by selectors of the inventory, steps by their kind, id or name.";
    BAD_EXPECTATION = 803, "bad-expectation", "An expectation cannot be judged",
        "It names a host that is not there, or expects nothing at all, so it would hold whatever happens.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_neither_codes_nor_names_repeat() {
        for pair in CODES.windows(2) {
            assert!(pair[0].code < pair[1].code, "{} before {}", pair[0].code, pair[1].code);
        }
        let names: std::collections::HashSet<_> = CODES.iter().map(|info| info.name).collect();
        assert_eq!(names.len(), CODES.len());
    }

    #[test]
    fn every_row_says_something() {
        for info in CODES {
            assert!(
                info.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{}",
                info.name
            );
            assert!(!info.title.ends_with('.') && info.text.ends_with('.'), "{}", info.code);
            assert_eq!(code_info(info.code).map(|found| found.name), Some(info.name));
        }
        assert!(code_info(Code(9999)).is_none());
    }
}
