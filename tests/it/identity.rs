//! A node is acted on only if it is the machine behind the connection: a simulated cluster whose addresses are wrong.

use std::collections::BTreeMap;
use std::rc::Rc;

use async_trait::async_trait;
use rollbook::executor::{Depth, Pool, gather_facts};
use rollbook::inventory::{self, HostName, Inventory};
use rollbook::kubernetes::KubeCx;
use rollbook::plan::compile::{CompileInput, Knowledge, Overrides, compile};
use rollbook::plan::{HostId, Plan};
use rollbook::runbook::{self, FileReader};
use rollbook::simulation::{Simulated, SimulatedHost};
use rollbook::source::{self, Diagnostics, Limits, SourceMap, codes};
use rollbook::transport::{ConnectError, LocalTransport, Session, Target, Transport};
use rollbook::value::{Duration, Timestamp, Version};

/// Connects to the host whose name is another's address.
struct Misled {
    to: Simulated,
    instead: BTreeMap<&'static str, &'static str>,
}

#[async_trait(?Send)]
impl Transport for Misled {
    async fn connect(&self, target: &Target) -> Result<Rc<dyn Session>, ConnectError> {
        let name = self.instead.get(target.host.as_str()).copied().unwrap_or(target.host.as_str());
        self.to.connect(&Target { host: HostName::parse(name).unwrap(), ..target.clone() }).await
    }

    async fn close(&self) {}
}

struct NoFiles;

impl FileReader for NoFiles {
    fn read(&self, _: &camino::Utf8Path, _: &str) -> Result<(camino::Utf8PathBuf, String), String> {
        Err("no files here".to_owned())
    }
}

const RUNBOOK: &str = "apiVersion: rollbook/v1\nkind: Runbook\nmetadata: { name: t }\nkube: { via: cp }\n\
    phases:\n  - name: roll\n    hosts: workers\n    steps: [drain: {}, uncordon: {}]\n";

fn inventory_of(hosts: &str, sources: &mut SourceMap) -> Inventory {
    let text = format!(
        "apiVersion: rollbook/v1\nkind: Inventory\nmetadata: {{ name: t }}\nhosts:\n  cp1: {{}}\n{hosts}\
         groups:\n  cp: {{ hosts: [cp1] }}\n  workers: {{ hosts: [w1, w2] }}\n"
    );
    let mut diagnostics = Diagnostics::default();
    let file = sources.add("inventory.yaml", text);
    let tree = source::parse(sources, file, Limits::default(), &mut diagnostics);
    let inventory = tree.and_then(|tree| inventory::parse(&tree, &mut diagnostics));
    inventory.unwrap_or_else(|| panic!("{}", diagnostics.render(sources, false)))
}

/// The plan for these lines of an inventory, or the codes and messages of what is wrong.
fn planned(hosts: &str, instead: &[(&'static str, &'static str)]) -> Result<Plan, String> {
    let mut sources = SourceMap::default();
    let inventory = inventory_of(hosts, &mut sources);
    let simulated_host = |name: &str| SimulatedHost {
        name: HostName::parse(name).unwrap(),
        address: name.to_owned(),
        node_name: Some(name.to_owned()),
        labels: BTreeMap::new(),
        control_plane: name == "cp1",
    };
    let version = Version::parse("1.30.2").unwrap();
    let cluster: Vec<_> = ["cp1", "w1", "w2", "w3"].map(simulated_host).into();
    let to = Simulated::from_hosts(&cluster, &version, Timestamp(1_767_650_400_000), 3);
    let misled = Misled { to, instead: instead.iter().copied().collect() };

    let target = |name: &HostName| {
        let host = &inventory.hosts[name];
        Target {
            host: name.clone(),
            address: host.address.clone(),
            connection: host.connection.clone(),
            r#become: host.r#become,
        }
    };
    let names: Vec<HostName> = inventory.hosts.keys().cloned().collect();
    let pool = Rc::new(Pool::new(Rc::new(misled), names.iter().map(target)));
    let controller = Rc::new(Pool::new(Rc::new(LocalTransport), []));
    let cx = KubeCx {
        kubeconfig: "/etc/kubernetes/admin.conf".to_owned(),
        context: String::new(),
        request_timeout: Duration::from_secs(10),
        r#become: true,
    };
    let via = [HostName::parse("cp1").unwrap()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let mut nobody_watches = |_, _| {};
    let looking =
        gather_facts(&pool, &controller, &names, Depth::Facts, Some((&cx, &via)), &mut nobody_watches);
    let found = runtime.unwrap().block_on(looking);
    assert!(found.failed.is_empty(), "{:?}", found.failed);
    let facts = found.cluster.expect("there is a cluster").expect("it answers");

    let mut diagnostics = Diagnostics::default();
    let file = sources.add("runbook.yaml", RUNBOOK);
    let runbook = runbook::parse(&mut sources, file, &NoFiles, &mut diagnostics);
    let input = CompileInput {
        runbook: &runbook.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false))),
        inventory: &inventory,
        params: &indexmap::IndexMap::new(),
        limit: None,
        overrides: Overrides { accept_outage: true, ..Overrides::default() },
        knowledge: Knowledge::Live { hosts: &found.hosts, cluster: Some(&facts) },
    };
    compile(&input, &mut diagnostics).ok_or_else(|| {
        let each = diagnostics.items().iter().map(|item| format!("{} {}", item.code, item.message));
        each.collect::<Vec<_>>().join("\n")
    })
}

/// What is wrong with them.
fn refused(hosts: &str, instead: &[(&'static str, &'static str)]) -> String {
    match planned(hosts, instead) {
        Ok(_) => panic!("with {instead:?} this is accepted:\n{hosts}"),
        Err(wrong) => wrong,
    }
}

const PLAIN: &str = "  w1: {}\n  w2: {}\n";

fn node_of(plan: &Plan, name: &str) -> Option<String> {
    let index = plan.hosts.iter().position(|host| host.name.as_str() == name).expect("a host of the plan");
    plan.host(HostId(u32::try_from(index).unwrap())).subject.node.clone()
}

#[test]
fn a_host_is_the_node_that_has_its_machine_id() {
    let plan = planned(PLAIN, &[]).unwrap();
    assert_eq!(node_of(&plan, "w1").as_deref(), Some("w1"));
}

#[test]
fn swapped_addresses_are_refused_before_anything_is_drained() {
    let wrong = refused(PLAIN, &[("w1", "w2"), ("w2", "w1")]);
    for host in ["w1", "w2"] {
        let message =
            format!("{} host `{host}` is not the machine of the node of that name", codes::NOT_THE_MACHINE);
        assert!(wrong.contains(&message), "{host}: {wrong}");
    }
    // The name of a node in the inventory is a claim, and is checked.
    let named = "  w1: { node_name: w3 }\n  w2: {}\n";
    let wrong = refused(named, &[]);
    assert!(wrong.contains("host `w1` is not the machine of node `w3`"), "{wrong}");
    let plan = planned(named, &[("w1", "w3")]).unwrap();
    assert_eq!(node_of(&plan, "w1").as_deref(), Some("w3"));
}

#[test]
fn one_machine_under_two_names_is_refused() {
    let wrong = refused(PLAIN, &[("w2", "w1")]);
    assert!(
        wrong.contains(&format!("{} hosts `w1` and `w2` are one machine", codes::SHARED_MACHINE)),
        "{wrong}"
    );
}
