//! Tables of lines: what they mean, what refuses them. The refusals are kubectl's own (1.32, recorded).
use proptest::prelude::*;

use super::*;
use crate::kubectl::resource::ResourceKind as Kind;

fn command(line: &str) -> Command {
    parse_line(line).unwrap_or_else(|error| panic!("{line}: {error:?}")).command
}

fn named(kind: Kind, names: &[&str]) -> Objects {
    Objects::Named(names.iter().map(|name| ObjectName { kind, name: (*name).to_owned() }).collect())
}

fn selected(kinds: &[Kind], labels: &str) -> Objects {
    Objects::Selected {
        kinds: kinds.to_vec(),
        labels: labels.parse().unwrap(),
        fields: FieldSelector::default(),
    }
}

/// Command lines of recorded runs and of scenarios.
#[test]
fn every_line_is_a_command() {
    for line in include_str!("lines.txt").lines() {
        let with = parse_line(&format!("kubectl {line}"));
        assert_eq!(with, parse_line(line), "{line}");
        assert!(with.is_ok(), "{line}: {with:?}");
    }
}

#[test]
fn objects() {
    let cases = [
        ("get po", selected(&[Kind::Pod], "")),
        ("get pods -l app=web,tier!=x", selected(&[Kind::Pod], "app=web,tier!=x")),
        ("get pvc,pv", selected(&[Kind::PersistentVolumeClaim, Kind::PersistentVolume], "")),
        (
            "get all",
            selected(&[Kind::Pod, Kind::Service, Kind::Deployment, Kind::ReplicaSet, Kind::StatefulSet], ""),
        ),
        ("get pods ev slow-0", named(Kind::Pod, &["ev", "slow-0"])),
        ("get statefulset.apps/web", named(Kind::StatefulSet, &["web"])),
        (
            "get -f a.yaml,b.yaml -f -",
            Objects::Files(vec![
                Source::File("a.yaml".to_owned()),
                Source::File("b.yaml".to_owned()),
                Source::Stdin,
            ]),
        ),
    ];
    for (line, expected) in cases {
        let Command::Get(get) = command(line) else { panic!("{line}") };
        assert_eq!(get.objects, expected, "{line}");
    }
    let Command::Get(get) = command("get sts/web pod/x") else { panic!() };
    assert!(get.objects.of_several_kinds());
    let Command::Get(get) = command("get pods,svc web --field-selector=") else { panic!() };
    assert!(get.objects.of_several_kinds());
    assert!(matches!(get.objects, Objects::Named(names) if names.len() == 2));
    assert!(!named(Kind::Pod, &["a", "b"]).of_several_kinds());
    let Command::Get(get) = command("get events --field-selector involvedObject.name=web-1") else {
        panic!()
    };
    let Objects::Selected { fields, .. } = get.objects else { panic!() };
    assert_eq!(fields.to_string(), "involvedObject.name=web-1");
}

#[test]
fn namespace_anywhere() {
    for line in [
        "-n db get pods",
        "get -n db pods",
        "get pods -n=db",
        "get pods --namespace db",
        "--namespace=db get po",
        "get po -ndb",
        "-n x get po -n db",
    ] {
        assert_eq!(parse_line(line).unwrap().namespace.as_deref(), Some("db"), "{line}");
    }
    assert_eq!(parse_line("get pods").unwrap().namespace, None);
    assert_eq!(command("rollout -n db status sts/web"), command("rollout status sts/web"));
}

#[test]
fn changes_of_objects() {
    let Command::Delete(delete) =
        command("delete pod web-0 --force --grace-period=0 --wait=false --timeout=5s")
    else {
        panic!()
    };
    assert_eq!((delete.grace_period, delete.force, delete.wait), (Some(0), true, false));
    assert_eq!(delete.timeout, Some(Duration::from_secs(5)));
    let graces = [
        ("", None),
        ("--force", Some(0)),
        ("--now", Some(1)),
        ("--grace-period=0", Some(1)),
        ("--grace-period 7", Some(7)),
        ("--grace-period -1", None),
    ];
    for (flags, grace) in graces {
        let Command::Delete(delete) = command(&format!("delete pod web-0 {flags}")) else { panic!() };
        assert_eq!(delete.grace_period, grace, "{flags}");
    }
    let Command::Delete(delete) = command("delete sts/web pdb/web --cascade=orphan") else { panic!() };
    assert_eq!(delete.cascade, Cascade::Orphan);
    assert!(delete.objects.of_several_kinds() && delete.wait);
    let Command::Delete(delete) = command("delete pvc --all") else { panic!() };
    assert_eq!(delete.objects, selected(&[Kind::PersistentVolumeClaim], ""));

    let Command::Scale(scale) = command("scale sts/web deploy/front --replicas=1 --current-replicas=2")
    else {
        panic!()
    };
    assert_eq!((scale.replicas, scale.current_replicas, scale.timeout), (1, Some(2), None));

    let patch = command("patch sts web --type=merge -p '{\"spec\":{}}' --subresource=status");
    assert_eq!(
        patch,
        Command::Patch {
            objects: named(Kind::StatefulSet, &["web"]),
            patch: "{\"spec\":{}}".to_owned(),
            patch_type: PatchType::Merge,
            subresource: Some("status".to_owned()),
        }
    );
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        command("set image deployment/web web=web:v2 *=x@sha256:a=b"),
        Command::SetImage {
            objects: named(Kind::Deployment, &["web"]),
            images: vec![pair("web", "web:v2"), pair("*", "x@sha256:a=b")],
        }
    );
    let Command::Label(edit) = command("label pods --all a=1 b- c= --overwrite") else { panic!() };
    assert_eq!(
        (edit.set, edit.remove, edit.overwrite),
        (vec![pair("a", "1"), pair("c", "")], vec!["b".to_owned()], true)
    );
    let Command::Annotate(edit) = command("annotate sts web note=\"to v3 = new\" old-") else { panic!() };
    assert_eq!((edit.set, edit.remove), (vec![pair("note", "to v3 = new")], vec!["old".to_owned()]));
    assert_eq!(
        command("create --raw /api/v1/namespaces/default/pods/web-0/eviction -f -"),
        Command::Evict { namespace: "default".to_owned(), pod: "web-0".to_owned(), body: Source::Stdin }
    );
}

#[test]
fn rollouts_and_waits() {
    let sts = || named(Kind::StatefulSet, &["web"]);
    let cases = [
        (
            "status sts/web --timeout=2s",
            Rollout::Status { timeout: Some(Duration::from_secs(2)), watch: true, revision: 0 },
        ),
        (
            "status sts web --watch=false --timeout=0",
            Rollout::Status { timeout: None, watch: false, revision: 0 },
        ),
        ("history sts/web --revision=2", Rollout::History { revision: 2 }),
        ("undo sts/web", Rollout::Undo { to_revision: 0 }),
        ("undo sts/web --to-revision 9", Rollout::Undo { to_revision: 9 }),
        ("restart sts/web", Rollout::Restart),
        ("pause sts/web", Rollout::Pause),
        ("resume sts/web", Rollout::Resume),
    ];
    for (line, action) in cases {
        assert_eq!(command(&format!("rollout {line}")), Command::Rollout(sts(), action), "{line}");
    }
    let condition =
        |name: &str, value: &str| Condition::Condition { name: name.to_owned(), value: value.to_owned() };
    let path = |path: &str, value: Option<&str>| Condition::JsonPath {
        path: Path::parse_relaxed(path).unwrap(),
        value: value.map(str::to_owned),
    };
    let cases = [
        ("condition=Ready", condition("Ready", "true")),
        ("condition=Ready=false", condition("Ready", "false")),
        ("delete", Condition::Delete),
        ("create", Condition::Create),
        ("jsonpath='{.status.readyReplicas}'=2", path(".status.readyReplicas", Some("2"))),
        ("jsonpath={.status.phase}", path(".status.phase", None)),
        (
            "'jsonpath={.c[?(@.type==\"Ready\")].status}=True'",
            path(".c[?(@.type==\"Ready\")].status", Some("True")),
        ),
    ];
    for (text, expected) in cases {
        let Command::Wait(wait) = command(&format!("wait pod/web-0 --for={text}")) else { panic!() };
        assert_eq!((wait.condition, wait.timeout), (expected, Duration::from_secs(30)), "{text}");
    }
    for (text, timeout) in
        [("0", Duration::ZERO), ("-1s", Duration::NEVER), ("1m30s", Duration::from_secs(90))]
    {
        let Command::Wait(wait) = command(&format!("wait pod --all --for=delete --timeout={text}")) else {
            panic!()
        };
        assert_eq!(wait.timeout, timeout, "{text}");
    }
}

#[test]
fn nodes_and_taints() {
    let Command::Cordon(nodes) = command("cordon node-a node/node-b --dry-run=client") else { panic!() };
    assert_eq!((nodes.objects, nodes.dry_run), (named(Kind::Node, &["node-a", "node-b"]), DryRun::Client));
    let line = "drain node-a --ignore-daemonsets --delete-emptydir-data --force --timeout=40s --grace-period=5 \
                --pod-selector=app=web --disable-eviction --skip-wait-for-delete-timeout=7";
    let Command::Drain(drain) = command(line) else { panic!() };
    assert!(drain.ignore_daemonsets && drain.delete_emptydir_data && drain.force && drain.disable_eviction);
    assert_eq!((drain.timeout, drain.grace_period), (Some(Duration::from_secs(40)), Some(5)));
    assert_eq!((drain.pod_selector.to_string().as_str(), drain.skip_wait_for_delete_timeout), ("app=web", 7));

    let taint =
        |key: &str, value: &str, effect| Taint { key: key.to_owned(), value: value.to_owned(), effect };
    let (schedule, execute) = (Some(TaintEffect::NoSchedule), Some(TaintEffect::NoExecute));
    let cases = [
        ("a=b:NoSchedule", vec![taint("a", "b", schedule)], vec![]),
        ("a:NoExecute --overwrite", vec![taint("a", "", execute)], vec![]),
        ("a-", vec![], vec![taint("a", "", None)]),
        ("a:NoSchedule-", vec![], vec![taint("a", "", schedule)]),
        ("a=b:NoSchedule- c=d:NoExecute", vec![taint("c", "d", execute)], vec![taint("a", "", schedule)]),
        (
            "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute",
            vec![taint("node.kubernetes.io/out-of-service", "nodeshutdown", execute)],
            vec![],
        ),
    ];
    for (text, add, remove) in cases {
        let overwrite = text.contains("--overwrite");
        let nodes = named(Kind::Node, &["node-a"]);
        assert_eq!(
            command(&format!("taint node node-a {text}")),
            Command::Taint { nodes, add, remove, overwrite }
        );
    }
}

#[test]
fn outputs() {
    let output = |text: &str| {
        let Command::Get(get) = command(&format!("get pods {text}")) else { panic!() };
        get.output
    };
    assert_eq!(output(""), Output::Table);
    assert_eq!(output("-o wide"), Output::Wide);
    assert_eq!(output("-owide"), Output::Wide);
    assert_eq!(output("--output=json -o yaml"), Output::Yaml);
    assert_eq!(output("-o=name"), Output::Name);
    assert_eq!(output("-o jsonpath={.a}"), Output::JsonPath(Template::parse("{.a}").unwrap()));
    let Output::CustomColumns(columns) = output("-o custom-columns=NAME:.metadata.name,X:.spec.x") else {
        panic!()
    };
    assert_eq!(
        columns.iter().map(|(header, path)| format!("{header} {}", path.as_str())).collect::<Vec<_>>(),
        ["NAME {.metadata.name}", "X {.spec.x}"]
    );
}

/// What kubectl refuses by itself, and what it prints.
#[test]
fn refusals() {
    let cases = [
        ("get nosuch", "error: the server doesn't have a resource type \"nosuch\""),
        ("get pods.apps", "error: the server doesn't have a resource type \"pods.apps\""),
        ("get pods web-0 -l app=web", "error: name cannot be provided when a selector is specified"),
        ("get pods/a/b", "error: arguments in resource/name form may not have more than one slash"),
        ("get pods/", "error: arguments in resource/name form must have a single resource and name"),
        ("get pods --nosuchflag", "Error: unknown flag: --nosuchflag\nSee 'kubectl get --help' for usage."),
        ("get pods -z", "Error: unknown shorthand flag: 'z' in -z\nSee 'kubectl get --help' for usage."),
        ("get pods -n", "Error: flag needs an argument: 'n' in -n\nSee 'kubectl get --help' for usage."),
        ("get pods -o jsonpath", "error: template format specified but no template given"),
        ("get pods -o custom-columns", "error: custom-columns format specified but no custom columns given"),
        (
            "get pods -o custom-columns=A:.b,C",
            "error: unexpected custom-columns spec: C, expected <header>:<json-path-expr>",
        ),
        (
            "get pods -o foo",
            "error: unable to match a printer suitable for the output format \"foo\", allowed formats are: \
          custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,\
          name,template,templatefile,wide,yaml",
        ),
        ("get pods -o jsonpath={.a", "error: error parsing jsonpath {.a, unclosed action"),
        (
            "describe",
            "error: You must specify the type of resource to describe. Use \"kubectl api-resources\" for a complete list of \
          supported resources.",
        ),
        ("delete pod", "error: resource(s) were provided, but no name was specified"),
        (
            "delete",
            "error: You must provide one or more resources by argument or filename.\nExample resource specifications \
          include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'",
        ),
        ("delete pods -l a=b --all", "error: setting 'all' parameter but found a non empty selector. "),
        ("delete pods x --all", "error: name cannot be provided when a selector is specified"),
        (
            "delete pod x --cascade=foo",
            "error: invalid cascade value (foo). Must be \"background\", \"foreground\", or \"orphan\"",
        ),
        (
            "delete pod x --now --grace-period=5",
            "error: --now and --grace-period cannot be specified together",
        ),
        (
            "delete pod x --timeout=5",
            "Error: invalid argument \"5\" for \"--timeout\" flag: time: missing unit in duration \"5\"\nSee 'kubectl delete \
          --help' for usage.",
        ),
        (
            "delete pod x --grace-period=foo",
            "Error: invalid argument \"foo\" for \"--grace-period\" flag: strconv.ParseInt: parsing \"foo\": invalid \
          syntax\nSee 'kubectl delete --help' for usage.",
        ),
        (
            "delete pod x --wait=foo",
            "Error: invalid argument \"foo\" for \"--wait\" flag: strconv.ParseBool: parsing \"foo\": invalid syntax\nSee \
          'kubectl delete --help' for usage.",
        ),
        ("scale sts web", "\"command failed\" err=\"required flag(s) \\\"replicas\\\" not set\""),
        (
            "scale sts web --replicas=-1",
            "error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
        ),
        (
            "scale sts/web --replicas=x",
            "Error: invalid argument \"x\" for \"--replicas\" flag: strconv.ParseInt: parsing \"x\": invalid syntax\nSee \
          'kubectl scale --help' for usage.",
        ),
        ("patch pod x", "error: must specify --patch or --patch-file containing the contents of the patch"),
        ("patch pod x --type=foo -p {}", "error: --type must be one of [json merge strategic], not \"foo\""),
        ("set image sts/web", "error: at least one image update is required"),
        ("rollout status", "error: required resource not specified"),
        ("rollout foo", "error: unknown command \"foo\"\nSee 'kubectl rollout -h' for help and examples"),
        ("rollout history sts/x --revision=-1", "error: revision must be a positive integer: -1"),
        ("wait pod/web-0", "error: unrecognized condition: \"\""),
        (
            "wait pod/x --for=jsonpath=.a=",
            "error: jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
        ),
        ("wait pod --for=condition=Ready", "error: resource(s) were provided, but no name was specified"),
        ("drain", "error: USAGE: drain NODE [flags]\nSee 'kubectl drain -h' for help and examples"),
        (
            "drain a -l x=y",
            "error: cannot specify both a node name and a --selector option\nSee 'kubectl drain -h' for help and examples",
        ),
        ("frobnicate", "Error: unknown command \"frobnicate\" for \"kubectl\""),
        ("apply", "error: must specify one of -f and -k"),
        ("taint", "error: one or more resources must be specified as <resource> <name>"),
        ("taint nodes x foo", "error: at least one taint update is required"),
        (
            "taint nodes x a=b:Bad",
            "error: invalid taint effect: Bad, unsupported taint effect\nSee 'kubectl taint -h' for help and examples",
        ),
        (
            "taint nodes x a=b:NoSchedule a-",
            "error: can not both modify and remove the following taint(s) in the same command: a=b",
        ),
        ("taint pod x a=b:NoSchedule", "error: invalid resource type pod, only node types are supported"),
        ("label", "error: one or more resources must be specified as <resource> <name> or <resource>/<name>"),
        ("label pod x", "error: at least one label update is required"),
        ("label pod x a=b a-", "error: can not both modify and remove a label in the same command"),
        ("label pod x a=b y", "error: all resources must be specified before label changes: y"),
        ("label pods a=b", "error: resource(s) were provided, but no name was specified"),
        ("annotate pod x", "error: at least one annotation update is required"),
    ];
    for (line, stderr) in cases {
        let error = parse_line(line).expect_err(line);
        assert_eq!(error.stderr.as_deref(), Some(stderr), "{line}");
        assert_ne!(error.reason, Reason::Unsupported, "{line}");
    }
}

/// What kubectl can do and the simulator cannot, and typos: our own sentence, and what would have been valid.
#[test]
fn unsupported_and_unknown() {
    let cases = [
        ("exec web-0 -- hostname", "kubectl exec is not supported", "exec"),
        ("logs web-0", "kubectl logs is not supported", "logs"),
        ("port-forward web-0 80", "kubectl port-forward is not supported", "port-forward"),
        ("set env sts/web A=B", "kubectl set env is not supported", "env"),
        ("create namespace x", "kubectl create namespace is not supported", "namespace"),
        ("get pods -w", "kubectl get: flag `-w` is not supported", "-w"),
        ("get pods --watch", "kubectl get: flag `--watch` is not supported", "--watch"),
        ("get pods --context=x", "kubectl get: flag `--context` is not supported", "--context=x"),
        ("get pods -o go-template=x", "kubectl get: output format `go-template` is not supported", "-o"),
        ("apply -f - --server-side", "kubectl apply: flag `--server-side` is not supported", "--server-side"),
        (
            "scale sts/web --replicas=1 --dry-run=client",
            "kubectl scale: flag `--dry-run` is not supported",
            "--dry-run=client",
        ),
        (
            "patch pod x -p {} --subresource=resize",
            "kubectl patch: --subresource=resize is not supported",
            "--subresource=resize",
        ),
        (
            "create --raw /api/v1/pods -f -",
            "kubectl create: --raw /api/v1/pods is not supported",
            "/api/v1/pods",
        ),
        (
            "scale statefulset/web --replica=3",
            "kubectl scale: unknown flag `--replica`; did you mean `--replicas`?",
            "--replica=3",
        ),
        ("gte pods", "kubectl: unknown verb `gte`; did you mean `get`?", "gte"),
        (
            "rollout statsu sts/web",
            "kubectl rollout: unknown subcommand `statsu`; did you mean `status`?",
            "statsu",
        ),
        (
            "get statefulest",
            "kubectl get: unknown resource type `statefulest`; did you mean `statefulset`?",
            "statefulest",
        ),
    ];
    for (line, message, place) in cases {
        let error = parse_line(line).expect_err(line);
        assert_eq!(error.to_string(), message);
        let (start, end) = error.span.expect(line);
        assert_eq!(&line[start..end], place, "{line}");
        assert!(error.help.is_some(), "{line}");
        assert_eq!(error.stderr.is_none(), error.reason == Reason::Unsupported, "{line}");
    }
    for line in ["", "kubectl", "-n db", "rollout", "set", "get 'pods"] {
        assert!(parse_line(line).is_err(), "{line}");
    }
    let long = |words: usize| format!("get pods {}", "x ".repeat(words - 2));
    assert!(parse_line(&long(flags::MAX_WORDS)).is_ok());
    assert!(parse_line(&long(flags::MAX_WORDS + 1)).unwrap_err().message.starts_with("limit exceeded"));
}

/// Every flag in the table is read by its verb with the shape it has there.
#[test]
fn tables_are_consistent() {
    for verb in verbs::VERBS {
        for (index, flag) in verb.flags.iter().enumerate() {
            assert!(
                verb.flags.iter().skip(index + 1).all(|other| other.long != flag.long),
                "{} {}",
                verb.name,
                flag.long
            );
            assert!(!verb.unplayed.contains(&flag.long), "{} {}", verb.name, flag.long);
        }
        assert!(!verbs::UNPLAYED_VERBS.contains(&verb.name), "{}", verb.name);
    }
}

proptest! {
    #[test]
    fn no_line_panics(words in prop::collection::vec(prop_oneof![
        prop::sample::select(vec![
            "get", "delete", "scale", "patch", "set", "image", "rollout", "status", "undo", "wait", "drain", "taint",
            "label", "annotate", "create", "apply", "events", "describe", "cordon", "pods", "sts/web", "all", "node", "-f",
            "-", "-l", "--all", "a=b", "a-", "a=b:NoSchedule", "--for", "condition=x", "-o", "jsonpath={.a}",
            "custom-columns=a:b", "--replicas", "-1", "--timeout", "5s", "--raw", "--", "--force=", "-n", "-A", "--sort-by",
        ]).prop_map(str::to_owned),
        "\\PC{0,6}",
    ], 0..8)) {
        let _ = parse(&words);
        let _ = parse_line(&words.join(" "));
    }
}
