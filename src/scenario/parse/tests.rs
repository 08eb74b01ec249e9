//! The tables of fields and the reader name the same keys.

use super::super::fields::{COMMON, EXPECT, TOP};
use super::super::{FAULTS, FaultInfo};
use super::*;
use crate::source::{Limits, SourceMap, codes, parse as parse_yaml};
use crate::value::Field;

fn unknown_keys(text: &str) -> Vec<String> {
    let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
    let file = sources.add("scenario.yaml", text);
    let tree = parse_yaml(&sources, file, Limits::default(), &mut diagnostics).expect("YAML");
    parse(&tree, &mut diagnostics);
    let unknown = diagnostics.items().iter().filter(|item| item.code == codes::UNKNOWN_KEY);
    unknown.map(|item| item.message.clone()).collect()
}

fn keys(fields: &[Field], except: &[&str]) -> String {
    let names = fields.iter().map(|field| field.name).filter(|name| !except.contains(name));
    names.map(|name| name.to_owned() + ": []").collect::<Vec<_>>().join(", ")
}

#[test]
fn what_the_tables_name_is_read() {
    let head = "apiVersion: rollbook/v1\nkind: Scenario\n";
    let top = keys(&TOP, &["apiVersion", "kind", "faults", "commands", "expect"]).replace(", ", "\n");
    let fault = |fault: &FaultInfo| {
        let own =
            if fault.fields.is_empty() { String::new() } else { format!(", {}", keys(&fault.fields, &[])) };
        format!("{{ fault: {}, {}{own} }}", fault.word, keys(&COMMON, &["fault"]))
    };
    let faults: Vec<String> = FAULTS.iter().map(fault).collect();
    let (faults, command) = (faults.join(", "), keys(&Command::table().fields, &[]));
    let expect = keys(&EXPECT, &["ran", "nodes"]);
    let (step, node) = (keys(&ExpectedStep::table().fields, &[]), keys(&ExpectedNode::table().fields, &[]));
    let text = format!(
        "{head}{top}\nfaults: [{faults}]\ncommands: [{{ {command} }}]\n\
         expect: {{ {expect}, ran: [{{ {step} }}], nodes: {{ w1: {{ {node} }} }} }}\n"
    );
    assert_eq!(unknown_keys(&text), Vec::<String>::new(), "{text}");
}

#[test]
fn what_no_table_names_is_refused() {
    for fault in FAULTS.iter() {
        let text = format!(
            "apiVersion: rollbook/v1\nkind: Scenario\nfaults: [{{ fault: {}, colour: red }}]\n",
            fault.word
        );
        assert_eq!(unknown_keys(&text).len(), 1, "{}", fault.word);
    }
}

#[test]
fn every_fault_is_called_by_its_word() {
    for fault in FAULTS.iter() {
        let required = fault.fields.iter().filter(|field| field.required);
        let values: Vec<String> = required.map(|field| field.name.to_owned() + ": 1h, ").collect();
        let values = values.concat();
        let text = format!(
            "apiVersion: rollbook/v1\nkind: Scenario\nmetadata: {{ name: t }}\nfaults: [{{ fault: {}, host: w1, {values}step: drain }}]\n",
            fault.word
        );
        let (mut sources, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
        let file = sources.add("scenario.yaml", text.as_str());
        let tree = parse_yaml(&sources, file, Limits::default(), &mut diagnostics).expect("YAML");
        let scenario = parse(&tree, &mut diagnostics);
        let scenario = scenario.unwrap_or_else(|| panic!("{}", diagnostics.render(&sources, false)));
        assert_eq!(scenario.faults[0].word(), fault.word);
    }
}
