//! Expressions over a cluster that runs.
use super::*;
use crate::config::Config;
use crate::kernel::Id;
use crate::scenario::NodeSpec;
use serde_json::{Value as Json, json};

/// Three nodes, a service, and a StatefulSet `web` with three pods that are all ready.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(1, Config::recorded());
    cluster.bootstrap().expect("a new cluster");
    for name in ["node-a", "node-b", "node-c"] {
        let spec = NodeSpec {
            name: name.into(),
            zone: "us-east-1a".into(),
            cpu: 8000,
            memory: 1 << 34,
            pods: 110,
            volumes: 25,
            labels: Vec::new(),
            taints: Vec::new(),
        };
        cluster.add_node(&spec, true).expect("a node");
    }
    apply(
        &mut cluster,
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 80}]},
        }),
    );
    apply(
        &mut cluster,
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
            "spec": {
                "replicas": 3, "serviceName": "web", "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "main", "image": "web:v1"}]},
                },
                "volumeClaimTemplates": [{
                    "metadata": {"name": "data"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
                }],
            },
        }),
    );
    cluster.run_until_settled(Time::from_secs(600));
    cluster
}

fn apply(cluster: &mut Cluster, mut object: Json) {
    object["metadata"]["namespace"] = "default".into();
    cluster.world.actor = crate::world::Actor::User;
    cluster.world.rest_create(object).expect("created");
}

fn pod(cluster: &Cluster, name: &str) -> Id<crate::api::objects::Pod> {
    let store = &cluster.world.store;
    let name = store.names.known_name(name).expect("known");
    store.pods.find(crate::api::names::Sym::DEFAULT, name).expect("there").0
}

fn read(text: &str) -> Condition {
    Condition::read(text, Scope::default()).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

#[test]
fn facts_of_a_cluster() {
    let cluster = cluster();
    for text in [
        "sts(\"web\").status.readyReplicas == 3 && sts('web').spec.replicas == 3 && statefulset('web').ready == 3",
        "pods('app=web').all(p, p.ready && p.phase == 'Running' && p.node.startsWith('node-'))",
        "pods('app=web').map(p, p.name) == ['web-0', 'web-1', 'web-2']",
        "pods()[2].ordinal == 2 && size(pods('app in (web, db)')) == 3 && pods('app!=web').size() == 0",
        "pods('apps.kubernetes.io/pod-index=1').map(p, p.name) == ['web-1']",
        "pod('web-0').metadata.labels['app'] == 'web' && pod('web-0').metadata.labels.app == 'web'",
        "'statefulset.kubernetes.io/pod-name' in pod('web-0').metadata.labels",
        "pod('web-0').revision == sts('web').status.updateRevision",
        "pod('web-0').exists && !pod('web-9').exists && pod('web-9') == null && pod('web-0') != null",
        "pod('web-0') == pods('app=web')[0] && pod('web-0').owner == 'web' && pod('default/web-0').exists",
        "has(pod('web-0').node) && !has(pod('web-0').metadata.deletionTimestamp) && !has(pod('web-9').node)",
        "size(processes('web-0')) == 1 && processes('web-0')[0].uid == pod('web-0').uid",
        "processes('web-0').all(p, p.node == pod(p.pod).node && !p.orphaned) && size(processes()) == 3",
        "pvc('data-web-0').phase == 'Bound' && pv(pvc('data-web-0').volume).claim == 'data-web-0'",
        "attachments('data-web-0').exists_one(d, d.state == 'attached' && d.node == pod('web-0').node)",
        "volumeAttachments('data-web-1').all(a, a.attached && a.claim == 'data-web-1') && size(volumeAttachments()) == 3",
        "endpoints('web').map(e, e.pod) == ['web-0', 'web-1', 'web-2'] && endpoints('web').all(e, e.ready)",
        "pod('web-1').ip in dns('web-1.web') && size(dns('web')) == 3 && size(dns('nothing')) == 0",
        "nodes().all(n, n.ready && n.powered && n.zone == 'us-east-1a') && size(nodes()) == 3",
        "pod('web-0').status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')",
        "pod('web-0').status.containerStatuses.all(c, c.name == 'main' && c.image == 'web:v1' && c.running)",
        "now > duration('1s') && now - pod('web-0').created >= duration('0')",
        "service('web').headless && service('web').spec.clusterIP == 'None'",
        "!fault('lost').active && fault('lost').times == 0",
        "node('node-a').metadata.labels['topology.kubernetes.io/zone'].matches('^us-.*1a$')",
        "!pod('web-9').ready || true",
        "[].map(x, x * x - 1).size() == 0 && [].map(x, -x) == []",
        "pod('web-0').available ? size(pods()) == 3 : 1 / 0 == 1",
    ] {
        let mut condition = read(text);
        assert_eq!(condition.holds(&cluster), Ok(true), "{text}: {}", condition.explain(&cluster));
        condition.learn(&cluster);
        assert_eq!(condition.holds(&cluster), Ok(true), "{text}, learned");
    }
}

#[test]
fn what_has_no_value_says_why() {
    let cluster = cluster();
    for (text, place, message) in [
        ("pod('web-9').ready", "pod('web-9')", "there is no such pod"),
        ("pods('app=db')[0].ready", "0", "there is no element 0 in an empty list"),
        ("1 / size(pods('app=db')) == 1", "1 / size(pods('app=db'))", "division by zero"),
        (
            "9223372036854775807 + size(pods()) > 0",
            "9223372036854775807 + size(pods())",
            "the result is too large",
        ),
        (
            "pod('web-0').metadata.labels.tier == 'a'",
            "pod('web-0').metadata.labels.tier",
            "there is no such key",
        ),
        ("pod('web-9').ready && true || false", "pod('web-9')", "there is no such pod"),
    ] {
        let trouble = read(text).holds(&cluster).expect_err(text);
        assert_eq!((&text[trouble.span()], trouble.to_string().as_str()), (place, message), "{text}");
    }
}

#[test]
fn explanations_show_what_decides() {
    let mut cluster = cluster();
    let second = pod(&cluster, "web-1");
    cluster.kubelets.set_ready(second, false, &mut cluster.world);
    let until = cluster.world.now() + crate::kernel::Duration::from_secs(30);
    cluster.run_until_settled(until);
    for (text, expected) in [
        ("pods('app=web').all(p, p.ready)", "pods('app=web')[1] (web-1): ready == false"),
        ("pods('app=web').exists(p, !p.ready)", "pods('app=web')[1] (web-1): ready == false"),
        ("sts('web').status.readyReplicas == 3", "sts('web').status.readyReplicas == 2"),
        ("pod('web-0').ready && pod('web-1').ready", "pod('web-1').ready == false"),
        (
            "pod('web-1').ready || pod('web-9').ready",
            "pod('web-1').ready == false and pod('web-9'): there is no such pod",
        ),
        ("!pod('web-0').ready", "pod('web-0').ready == true"),
        ("size(processes('web-0')) == 2", "size(processes('web-0')) == 1 (node-a)"),
        ("pods('app=db').exists(p, p.ready)", "pods('app=db') is empty"),
        (
            "pod('web-0').node == pod('web-1').node",
            "pod('web-0').node == \"node-a\" and pod('web-1').node == \"node-b\"",
        ),
        (
            "pods('app=web').exists(p, p.restarts > 0)",
            "pods('app=web')[0] (web-0): restarts == 0; pods('app=web')[1] (web-1): restarts == 0; \
             pods('app=web')[2] (web-2): restarts == 0",
        ),
        ("duration('1h') < now", "now == "),
        ("'web-3' in pods().map(p, p.name)", "pods().map(p, p.name) == [\"web-0\", \"web-1\", \"web-2\"]"),
        ("pod('web-9').exists", "pod('web-9').exists == false"),
        ("pod('web-9') != null", "pod('web-9') does not exist"),
    ] {
        let told = read(text).explain(&cluster);
        assert!(
            told == expected || expected.ends_with("== ") && told.starts_with(expected),
            "{text}\n  {told}"
        );
    }
}

#[test]
fn what_is_read_is_known() {
    use crate::api::kind::Kind;
    let reads = |text| read(text).reads();
    assert_eq!(reads("pod('web-0').ready"), Reads::kind(Kind::Pod));
    assert_eq!(reads("1 < 2"), Reads::NOTHING);
    assert!(reads("now > duration('1m')").has(Reads::TIME));
    assert!(
        reads("pods().all(p, size(processes(p.name)) <= 1)")
            .has(Reads::PROCESSES.and(Reads::kind(Kind::Pod)))
    );
    let mut cluster = cluster();
    let (pods, nodes) = (reads("pod('web-0').ready"), reads("node('node-a').ready"));
    let before = (pods.stamp(&cluster), nodes.stamp(&cluster));
    let second = pod(&cluster, "web-1");
    cluster.kubelets.set_ready(second, false, &mut cluster.world);
    let until = cluster.world.now() + crate::kernel::Duration::from_secs(30);
    cluster.run_until_settled(until);
    assert_ne!(pods.stamp(&cluster), before.0);
    assert_eq!(nodes.stamp(&cluster), before.1);
    let looks = read("now >= duration('5m') && now < duration('10m')");
    let seconds = |n| Time::from_secs(n);
    assert_eq!(looks.next_look(seconds(0)), Some(seconds(300)));
    assert_eq!(looks.next_look(seconds(301)), Some(seconds(600)));
    assert_eq!(looks.next_look(seconds(601)), None);
}

#[test]
fn what_has_no_meaning_is_pointed_at() {
    for (text, place, message, help) in [
        ("pod('a').redy", "redy", "a pod has no field `redy`", "did you mean `ready`?"),
        (
            "sts('a').status.redyReplicas == 1",
            "redyReplicas",
            "a StatefulSet has no field `redyReplicas` below `.status`",
            "did you mean `readyReplicas`?",
        ),
        (
            "sts('a').status == 1",
            "sts('a').status",
            "`.status` of a StatefulSet is no value by itself",
            "it has availableReplicas, currentReplicas, currentRevision, observedGeneration, readyReplicas, replicas, updateRevision, updatedReplicas",
        ),
        ("pots('a')", "pots", "unknown function `pots`", "did you mean `pods`?"),
        ("nwo > duration('5m')", "nwo", "unknown name `nwo`", "did you mean `now`?"),
        ("pod > 1", "pod", "`pod` is a function", "write pod(\"web-0\")"),
        (
            "pod('a').phase == 1",
            "pod('a').phase == 1",
            "a value of type string never equals one of type int",
            "",
        ),
        (
            "pod('a').restarts > '1'",
            "pod('a').restarts > '1'",
            "`>` cannot compare type int with type string",
            "",
        ),
        (
            "sts('a').ready",
            "sts('a').ready",
            "a condition is true or false, this is of type int",
            "compare it with something",
        ),
        (
            "pod('a')",
            "pod('a')",
            "a condition is true or false, this is of type Pod",
            "compare it with something",
        ),
        (
            "pods('a') && true",
            "pods('a')",
            "a side of `&&` is true or false, this is of type list(Pod)",
            "ask with .all(x, ...), .exists(x, ...) or size(...)",
        ),
        ("pod('a', 'b').ready", "pod", "`pod` takes one argument; it is given 2", "write pod(\"web-0\")"),
        ("pod(1).ready", "1", "a name is of type string, this is of type int", ""),
        ("pods('app in').size() == 1", "'app in'", "this is no label selector: ", ""),
        (
            "pods('a').all(p.ready)",
            "all",
            "this takes a variable and what is said of it: .all(x, x.ready)",
            "",
        ),
        ("pods('a').all(p, q.ready)", "q", "unknown name `q`", "did you mean `p`?"),
        (
            "pods('a').ready",
            "ready",
            "a value of type list(Pod) has no fields",
            "take an element: [0], or go through it: .all(x, ...)",
        ),
        ("pod('a').name.begins('x')", "begins", "unknown function `begins`", ""),
        (
            "pod('a').ready.startsWith('x')",
            "startsWith",
            "`startsWith` is no function of a value of type bool",
            "",
        ),
        ("pod('a').name.matches('(')", "'('", "this is no pattern: ", ""),
        ("now > 5m", "5m", "this is no number", "a span of time is written duration(\"5m\")"),
        (
            "now > duration('5 minutes')",
            "'5 minutes'",
            "invalid duration \"5 minutes\": unknown unit \" minutes\" (ns, us, ms, s, m, h)",
            "",
        ),
        ("[1, 'a'] == []", "'a'", "the elements before are of type int, this one is of type string", ""),
        ("true ? 1 : 'a'", "'a'", "before `:` is a value of type int, this one is of type string", ""),
        ("has(true)", "true", "has() asks about a field: has(pod(\"web-0\").node)", ""),
        (
            "fault('lots').active",
            "'lots'",
            "no fault of this scenario is called `lots`",
            "did you mean `lost`?",
        ),
        ("db('pq').writable", "'pq'", "no database of this scenario is called `pq`", "did you mean `pg`?"),
        ("size(events('web-0')) > 0", "'web-0'", "an object is written kind/name, such as pod/web-0", ""),
        ("1 + 'a' == 2", "1 + 'a'", "`+` has no meaning between type int and type string", ""),
        ("1 in 2", "2", "`in` needs a list, this is of type int", ""),
    ] {
        let (faults, databases) = (["lost".to_owned()], ["pg".to_owned()]);
        let wrong = Condition::read(
            text,
            Scope { faults: Some(&faults), databases: Some(&databases), ..Scope::default() },
        )
        .expect_err(text);
        assert_eq!(&text[wrong.span.clone()], place, "{text}: {wrong:?}");
        assert!(
            wrong.message == message || message.ends_with(": ") && wrong.message.starts_with(message),
            "{wrong:?}"
        );
        assert!(help.is_empty() || wrong.help.as_deref() == Some(help), "{text}: {wrong:?}");
    }
    let long = format!("{}true", " ".repeat(MAX_LENGTH));
    assert!(Condition::read(&long, Scope::default()).is_err());
}

#[test]
fn a_container_sees_little() {
    for (text, place, message) in [
        ("peers.runing > 0", "runing", "a group of peers has no field `runing`"),
        ("now > duration('5m')", "now", "a container sees no `now`"),
        ("pods('app=web').all(p, p.ready)", "pods", "a container cannot ask `pods()`"),
        ("dns.resolves(1)", "1", "a name is of type string, this is of type int"),
        ("dns.finds('a')", "finds", "unknown function `finds`"),
        ("volume", "volume", "a condition is true or false, this is of type OwnVolume"),
    ] {
        let wrong = Condition::read(text, Scope::container(&[])).expect_err(text);
        assert_eq!((&text[wrong.span.clone()], wrong.message.as_str()), (place, message), "{text}");
    }
    let cluster = cluster();
    let second = pod(&cluster, "web-1");
    let object = cluster.world.store.pods.get(second).expect("there");
    let here = Here { pod: second, uid: object.meta.uid, node: object.node, fresh: true };
    for text in [
        "peers.running == 2 && peers.ready == 2 && peers.total == 2",
        "pod.ordinal == 1 && pod.name == 'web-1' && volume.fresh",
        "dns.resolves('web-0.web') && dns.resolves('web-1') && !dns.resolves('web-9.web') && dns.resolves('web')",
    ] {
        let condition =
            Condition::read(text, Scope::container(&[])).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
        let mut network = cluster.network.clone();
        assert_eq!(
            condition.holds_in(&cluster, here, &mut network, &mut Answers::default()),
            Ok(true),
            "{text}"
        );
        assert!(condition.holds(&cluster) != Ok(true), "{text}: nobody looks");
    }
}

#[test]
fn work_is_bounded() {
    let cluster = cluster();
    let ten = "[0,1,2,3,4,5,6,7,8,9]";
    let mut nested = "true".to_owned();
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        nested = format!("{ten}.all({name}, {nested})");
    }
    let trouble = read(&nested).holds(&cluster).expect_err("a hundred million steps");
    assert_eq!(trouble.to_string(), "this takes too many steps to evaluate");
    let doubled = format!("['x']{}.size() == 1", ".map(a, a + a)".repeat(30));
    assert_eq!(
        read(&doubled).holds(&cluster).expect_err("a billion letters").to_string(),
        trouble.to_string()
    );
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = Condition::read(&text, Scope::default());
    }

    #[test]
    fn no_words_panic(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40)) {
        let text = words.concat();
        if let Err(wrong) = Condition::read(&text, Scope::default()) {
            proptest::prop_assert!(text.get(wrong.span.clone()).is_some(), "{text}: {wrong:?}");
        }
    }
}

/// What expressions are made of.
const WORDS: &[&str] = &[
    "pod",
    "pods",
    "(",
    "(",
    ")",
    ")",
    "'a'",
    "\"app=web\"",
    ".",
    ".",
    "ready",
    "status",
    "[",
    "]",
    "all",
    "exists",
    "x",
    "x",
    ",",
    " && ",
    " || ",
    "!",
    "-",
    "1",
    "0x",
    "2.5",
    " == ",
    " < ",
    " in ",
    "?",
    ":",
    "size",
    "has",
    "duration",
    "'5m'",
    "null",
    "true",
    " ",
    "\\",
    "'",
    "\"",
    "é",
    "{",
    "now",
    "map",
    "+",
    "/",
    "//",
];
