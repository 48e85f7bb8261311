//! Commands on a cluster without nodes: what they print and how long they wait.
use super::*;
use crate::config::Config;
use crate::event::Event;
use crate::kernel::Duration;
use serde_json::{Value, json};

fn cluster() -> Cluster {
    let mut cluster = Cluster::new(0, Config::recorded());
    cluster.world.bootstrap().expect("an empty store");
    cluster.world.events.turn_on();
    cluster
}

fn read(text: &str) -> Result<Vec<Value>, String> {
    serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn words(line: &str) -> Vec<String> {
    shlex::split(line).expect("words")
}

/// Lets a command send all its objects; it waits for nothing else.
fn finish(running: &mut Running, cluster: &mut Cluster) {
    for _ in 0..100 {
        match running.poll(cluster) {
            Progress::Done => return,
            Progress::Waiting(_) => sleep(cluster, Duration::from_millis(1)),
        }
    }
    panic!("it waits");
}

/// Runs a command that does not wait for the cluster.
fn run(cluster: &mut Cluster, line: &str, stdin: &str) -> (String, String, i32) {
    let mut running = start(&words(line), Some(stdin), read, cluster);
    finish(&mut running, cluster);
    (running.output.stdout, running.output.stderr, running.output.exit)
}

fn said(cluster: &mut Cluster, line: &str) -> String {
    let (stdout, stderr, _) = run(cluster, line, "");
    stdout + &stderr
}

fn config_map(name: &str, data: &Value) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}).to_string()
}

fn pod(name: &str, finalizers: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "finalizers": finalizers},
        "spec": {"containers": [{"name": "web", "image": "web:v1"}]},
    })
}

/// Lets time pass.
fn sleep(cluster: &mut Cluster, span: Duration) {
    cluster.world.after(span, Event::Runner(0));
    cluster.run_until(cluster.world.now() + span);
}

#[test]
fn lines_are_checked_before_anything_runs() {
    let cases = [
        ("get pods", Ok(())),
        ("frobnicate", Err("unknown")),
        ("get nosuch", Err("unknown resource type `nosuch`")),
        ("get pods --nosuchflag", Err("unknown flag `--nosuchflag`")),
        ("logs web-0", Err("not supported")),
        ("apply -f web.yaml", Err("cannot read the file `web.yaml`")),
        ("delete -f - -f b.yaml", Err("cannot read the file `b.yaml`")),
        ("apply -f -", Ok(())),
        // kubectl's own refusals are what the command prints.
        ("delete pod", Ok(())),
        ("scale sts web --replicas=-1", Ok(())),
    ];
    for (line, expected) in cases {
        match (check(&words(line)), expected) {
            (Ok(()), Ok(())) => {}
            (Err(message), Err(part)) => assert!(message.contains(part), "{line}: {message}"),
            (found, _) => panic!("{line}: {found:?}"),
        }
    }
}

#[test]
fn apply_goes_on_after_an_error_and_tells_it_at_the_end() {
    let mut cluster = cluster();
    let wrong = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "dat": {}});
    let stdin = format!("{}{wrong}{}", config_map("a", &json!({"k": "1"})), config_map("c", &json!({})));
    assert_eq!(
        run(&mut cluster, "apply -f -", &stdin),
        (
            "configmap/a created\nconfigmap/c created\n".to_owned(),
            "Error from server (BadRequest): error when creating \"STDIN\": ConfigMap in version \"v1\" cannot be \
             handled as a ConfigMap: strict decoding error: unknown field \"dat\"\n"
                .to_owned(),
            1
        )
    );
    let changed = config_map("a", &json!({"k": "2"}));
    assert_eq!(run(&mut cluster, "apply -f -", &changed).0, "configmap/a configured\n");
    assert_eq!(run(&mut cluster, "apply -f -", &changed).0, "configmap/a unchanged\n");
    assert_eq!(said(&mut cluster, "get cm a -o jsonpath={.data.k}"), "2");
    assert_eq!(said(&mut cluster, "create -f -"), "error: no objects passed to create\n");
    let (_, stderr, exit) = run(&mut cluster, "create -f -", &changed);
    assert_eq!(
        (stderr.as_str(), exit),
        (
            "Error from server (AlreadyExists): error when creating \"STDIN\": configmaps \"a\" already exists\n",
            1
        )
    );
    assert_eq!(
        run(&mut cluster, "replace -f -", &config_map("a", &json!({"k": "3"}))).0,
        "configmap/a replaced\n"
    );
}

#[test]
fn manifests_that_were_read_are_applied() {
    let mut cluster = cluster();
    let manifests =
        [pod("a", &json!([])), json!({"apiVersion": "v1", "kind": "List", "items": [pod("b", &json!([]))]})];
    let mut running = apply_all(&manifests, &mut cluster);
    finish(&mut running, &mut cluster);
    let output = running.output;
    assert_eq!((output.stdout.as_str(), output.exit), ("pod/a created\npod/b created\n", 0));
    assert_eq!(said(&mut cluster, "get pods -o name"), "pod/a\npod/b\n");
}

#[test]
fn what_was_not_applied_and_what_goes_away_is_warned_of() {
    let mut cluster = cluster();
    let held = pod("a", &json!(["example.com/hold"])).to_string();
    run(&mut cluster, "create -f -", &held);
    let (stdout, stderr, _) = run(&mut cluster, "apply -f -", &held);
    assert_eq!(stdout, "pod/a configured\n");
    assert!(
        stderr.starts_with("Warning: resource pods/a is missing the kubectl.kubernetes.io/last-applied"),
        "{stderr}"
    );
    said(&mut cluster, "delete pod a --wait=false");
    let (_, stderr, _) = run(&mut cluster, "apply -f -", &held);
    assert_eq!(stderr, "Warning: Detected changes to resource a which is currently being deleted.\n");
}

#[test]
fn delete_waits_until_the_object_is_gone() {
    let mut cluster = cluster();
    run(&mut cluster, "create -f -", &pod("a", &json!(["example.com/hold"])).to_string());
    let mut running = start(&words("delete pod a --timeout=5s"), None, read, &mut cluster);
    assert_eq!(running.output.stdout, "pod \"a\" deleted\n");
    let deadline = cluster.world.now() + Duration::from_secs(5);
    assert_eq!(running.poll(&mut cluster), Progress::Waiting(Some(deadline)));
    let mut patient = start(&words("delete pod a"), None, read, &mut cluster);
    sleep(&mut cluster, Duration::from_secs(5));
    assert_eq!(running.poll(&mut cluster), Progress::Done);
    assert_eq!(running.output.stderr, "error: timed out waiting for the condition on pods/a\n");
    assert!(matches!(patient.poll(&mut cluster), Progress::Waiting(_)));
    said(&mut cluster, "patch pod a --type=merge -p '{\"metadata\":{\"finalizers\":null}}'");
    assert_eq!(patient.poll(&mut cluster), Progress::Done);
    assert_eq!((patient.output.exit, running.output.exit), (0, 1));
}

#[test]
fn what_is_not_there() {
    let mut cluster = cluster();
    let cases = [
        ("get pod a", "Error from server (NotFound): pods \"a\" not found\n"),
        ("get pods", "No resources found in default namespace.\n"),
        ("get pods -A", "No resources found\n"),
        ("get nodes", "No resources found\n"),
        ("get pod a --ignore-not-found", ""),
        ("get pods -o name", ""),
        ("delete pod a --ignore-not-found", ""),
        ("delete pods --all", "No resources found\n"),
        ("rollout status sts", "No resources found in default namespace.\n"),
        ("describe pods", "No resources found in default namespace.\n"),
        ("events", "No events found in default namespace.\n"),
        ("wait pod -l a=b --for=condition=Ready", "error: no matching resources found\n"),
        ("wait pod/a --for=delete", ""),
    ];
    for (line, expected) in cases {
        assert_eq!(said(&mut cluster, line), expected, "{line}");
    }
}

#[test]
fn wait_for_creation_looks_every_half_second() {
    let mut cluster = cluster();
    let mut running = start(&words("wait pod/a --for=create --timeout=3s"), None, read, &mut cluster);
    let began = cluster.world.now();
    let half = Duration::from_millis(500);
    assert_eq!(running.poll(&mut cluster), Progress::Waiting(Some(began + half)));
    run(&mut cluster, "create -f -", &pod("a", &json!([])).to_string());
    assert_eq!(running.poll(&mut cluster), Progress::Done);
    assert_eq!(running.output.stdout, "pod/a condition met\n");
    let mut late = start(&words("wait pod/b --for=create --timeout=1s"), None, read, &mut cluster);
    sleep(&mut cluster, Duration::from_secs(1));
    assert_eq!(late.poll(&mut cluster), Progress::Done);
    assert_eq!(late.output.stderr, "error: timed out waiting for the condition\n");
}

#[test]
fn several_objects_and_several_kinds() {
    let mut cluster = cluster();
    let stdin = format!("{}{}", pod("a", &json!([])), config_map("m", &json!({"k": "v"})));
    run(&mut cluster, "create -f -", &stdin);
    let (stdout, stderr, exit) = run(&mut cluster, "get pod a nosuch", "");
    assert!(stdout.contains("\na      0/1     Pending   0          0s\n"), "{stdout}");
    assert_eq!((stderr.as_str(), exit), ("Error from server (NotFound): pods \"nosuch\" not found\n", 1));
    assert_eq!(
        said(&mut cluster, "get pod,cm"),
        "NAME    READY   STATUS    RESTARTS   AGE\npod/a   0/1     Pending   0          0s\n\nNAME          DATA   \
         AGE\nconfigmap/m   1      0s\n"
    );
    assert_eq!(said(&mut cluster, "get pod a nosuch other -o name"), {
        let gone = |name: &str| format!("Error from server (NotFound): pods \"{name}\" not found\n");
        format!("pod/a\n{}{}", gone("nosuch"), gone("other"))
    });
    assert_eq!(
        said(&mut cluster, "get pods --no-headers --show-labels"),
        "a     0/1   Pending   0     0s    <none>\n"
    );
    assert_eq!(said(&mut cluster, "label pod a x=1 y=2"), "pod/a labeled\n");
    assert_eq!(said(&mut cluster, "label pod a x=2 y- --overwrite"), "pod/a modified\n");
    assert_eq!(
        said(&mut cluster, "get pods -l x=2,!y --field-selector=status.phase=Pending -o name"),
        "pod/a\n"
    );
}
