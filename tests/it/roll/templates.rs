//! Files written from templates beside the runbook: what a plan shows of them, and what hosts have afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::fleet::Fleet;

const TEMPLATE: &str = "# kept by Rollbook\n\
    name = {{ host.name }}\n\
    {%- if host.name == \"h1\" %}\nfirst = yes\n{%- endif %}\n\
    text = it's \"quoted\" $HOME `id` \\n {{ '{{' }}\n\
    last = é\n";

fn expected(host: usize) -> String {
    let first = if host == 1 { "first = yes\n" } else { "" };
    format!(
        "# kept by Rollbook\nname = h{host}\n{first}text = it's \"quoted\" $HOME `id` \\n {{{{\nlast = é\n"
    )
}

/// Two hosts, `up.yaml` with these steps, and `files/app.tmpl`.
fn with_template(steps: &str) -> Fleet {
    let fleet = Fleet::of(2);
    fs::create_dir(fleet.path("files")).unwrap();
    fleet.file("files/app.tmpl", TEMPLATE);
    fleet.runbook("", "batches: [1]", steps);
    fleet
}

const STEPS: &str = "- copy: { template: files/app.tmpl, dest: \"@{{ host.name }}.conf\" }\n";

/// A file of a host as a run would leave it: readable by everybody.
fn put(fleet: &Fleet, host: usize, text: &str) {
    let path = fleet.path(&format!("h{host}.conf"));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
}

fn found(fleet: &Fleet, host: usize) -> String {
    fs::read_to_string(fleet.path(&format!("h{host}.conf"))).unwrap()
}

#[test]
fn each_host_gets_the_text_made_for_it_and_a_second_run_changes_nothing() {
    let fleet = with_template(STEPS);
    put(&fleet, 2, &expected(2).replace("name = h2", "name = old\nport = 1"));
    let plan = fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(2).stdout;
    let h1 = fleet.path("h1.conf");
    let h2 = fleet.path("h2.conf");
    let shown = format!(
        "  batch 1: h1\n    ~ write {h1}: {h1} absent → 5 lines  [changes]\n        @@ -0,0 +1,5 @@\n        +# kept by Rollbook\n        \
         +name = h1\n        +first = yes\n        +text = it's \"quoted\" $HOME `id` \\n {{{{\n        +last = é\n  batch 2: h2\n    \
         ~ write {h2}: {h2} 1 line added, 2 removed  [changes]\n        @@ -1,5 +1,4 @@\n         # kept by Rollbook\n        \
         -name = old\n        -port = 1\n        +name = h2\n         text = it's \"quoted\" $HOME `id` \\n {{{{\n         last = é\n"
    );
    assert!(plan.contains(&shown), "{plan}\nis not\n{shown}");
    assert!(!plan.contains('\u{1b}'), "colours in a pipe");
    let colored = fleet.rollbook("plan", &["--color", "always"]).run().exits(0).stdout;
    assert!(colored.contains("        \u{1b}[31m-port = 1\u{1b}[0m\n"), "{colored}");
    let markdown = fleet.rollbook("plan", &["--format", "markdown"]).run().exits(0).stdout;
    assert!(markdown.contains("    -port = 1\n    +name = h2\n"), "{markdown}");

    fleet.run(&[]).run().exits(0);
    for host in 1..=2 {
        assert_eq!(found(&fleet, host), expected(host));
    }
    fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(0);
    fleet.run(&[]).run().exits(0).says("nothing to do");
}

#[test]
fn a_saved_plan_holds_the_text_that_was_reviewed() {
    let fleet = with_template(STEPS);
    fleet.rollbook("plan", &["-o", "up.plan.json"]).run().exits(0);
    fleet.file("files/app.tmpl", "something else\n");
    let changed = fleet.rollbook("plan", &["--diff", "up.plan.json"]).run().exits(0).stdout;
    assert!(changed.contains("+     +something else"), "{changed}");
    fs::remove_file(fleet.path("files/app.tmpl")).unwrap();
    fleet.rollbook_on("run", "up.plan.json", &["--yes", "--state-dir", "state"]).run().exits(0);
    assert_eq!(found(&fleet, 1), expected(1));
}

/// Of a file above 32 KiB only the beginning is fetched. Compared with the whole, all that follows would seem to be new.
/// Lines of a comparison: the others are of the text that would be written, which every plan shows.
fn compared(plan: &str) -> Vec<&str> {
    let lines = plan.lines().map(str::trim_start).filter(|line| line.contains("the same on both sides"));
    lines.filter(|line| !line.starts_with("| ")).collect()
}

#[test]
fn a_long_file_is_never_compared_by_its_beginning() {
    let fleet = with_template(STEPS);
    let filler = "# the same on both sides\n".repeat(2000);
    fleet.file("files/app.tmpl", &format!("{filler}level = 2\n"));
    put(&fleet, 1, &format!("{filler}level = 1\n"));
    put(&fleet, 2, &format!("{filler}level = 2\n"));
    let plan = fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(2).stdout;
    let line = format!("h1.conf: {} sha256 ", fleet.path("h1.conf"));
    assert!(plan.contains(&line) && compared(&plan).is_empty(), "{plan}");
    assert!(plan.contains("h2.conf is as asked"), "{plan}");
    fleet.run(&[]).run().exits(0);
    assert_eq!(found(&fleet, 1), format!("{filler}level = 2\n"));
    fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(0);
    // Also where what comes is short.
    fleet.file("files/app.tmpl", "level = 3\n");
    let plan = fleet.rollbook("plan", &["--detailed-exitcode"]).run().exits(2).stdout;
    assert!(plan.contains(&line) && compared(&plan).is_empty(), "{plan}");
}

#[test]
fn what_an_earlier_step_says_is_filled_in_when_the_host_comes_to_it() {
    let fleet = with_template(&format!("- command: [echo, from the host]\n  id: asked\n{STEPS}"));
    fleet.file("files/app.tmpl", "said = {{ steps.asked.stdout | trim }}\n");
    fleet
        .rollbook("plan", &["-o", "up.plan.json"])
        .run()
        .exits(0)
        .shows("known later, from steps.asked.stdout");
    fs::remove_file(fleet.path("files/app.tmpl")).unwrap();
    fleet.rollbook_on("run", "up.plan.json", &["--yes", "--state-dir", "state"]).run().exits(0);
    assert_eq!(found(&fleet, 2), "said = from the host\n");

    // What cannot be filled in names the place in the template.
    fleet.file("files/app.tmpl", "a\nsaid = {{ steps.asked.json.word }}\n");
    let failed = fleet.run(&[]).run().exits(11);
    assert!(failed.stderr.contains("files/app.tmpl:2:11: "), "{}", failed.stderr);
}

#[test]
fn a_secret_in_a_template_reaches_the_host_and_nothing_else() {
    const SECRET: &str = "correct-horse-battery";
    let fleet = with_template(
        "- copy: { template: files/app.tmpl, dest: \"@{{ host.name }}.conf\", mode: \"0600\" }\n\
         - copy: { template: files/app.tmpl, dest: \"@{{ host.name }}.open\" }\n",
    );
    let text = fs::read_to_string(fleet.path("up.yaml")).unwrap();
    fleet.file("up.yaml", &text.replace("\nphases:", "\nsecrets: { token: { env: RB_TOKEN } }\nphases:"));
    fleet.file("files/app.tmpl", "user = {{ host.name }}\ntoken = {{ secrets.token }}\n");
    put(&fleet, 1, "user = h1\ntoken = yesterdays-token\n");
    let rollbook = |verb: &str, more: &[&str]| fleet.rollbook(verb, more).env("RB_TOKEN", SECRET).run();
    let mut said = Vec::new();
    for more in [&["-v", "-o", "up.plan.json"][..], &["--format", "json"], &["--format", "markdown"]] {
        let plan = rollbook("plan", more).exits(0);
        said.push(plan.stdout + &plan.stderr);
    }
    assert!(said[0].contains("holds a value known only later"), "{}", said[0]);
    assert!(said[0].contains("(mode 0600, a text with values known only later)"), "{}", said[0]);
    let run = rollbook("run", &["--yes", "--state-dir", "state", "--verbose", "--events", "events.jsonl"]);
    said.push(run.exits(0).stderr);
    let journal = fs::read_to_string(fleet.run_dir().join("journal.jsonl")).unwrap();
    for text in said.iter().chain([&journal]) {
        assert!(!text.contains(SECRET) && !text.contains("yesterdays"), "{text}");
    }
    for end in ["conf", "open"] {
        let written = fs::read_to_string(fleet.path(&format!("h1.{end}"))).unwrap();
        assert_eq!(written, format!("user = h1\ntoken = {SECRET}\n"));
    }
}
