//! Drives Chromium through its DevTools protocol.
//!
//! `--remote-debugging-pipe` reads from descriptor 3 and writes to descriptor 4, messages of JSON that end with a zero
//! byte; a shell puts our pipes there, so that neither a port nor a library is needed.
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Browsers started so far: each has a profile of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// The browser, with one page.
pub(crate) struct Chrome {
    child: Child,
    /// Where it keeps what it needs.
    profile: PathBuf,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    last: u64,
    /// What the browser said without being asked.
    heard: Vec<Value>,
}

impl Chrome {
    /// Starts Debian's chromium, or what `CHROMIUM` names.
    pub(crate) fn start() -> Chrome {
        let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".into());
        let flags = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --window-size=1440,900 \
                     --remote-debugging-pipe --no-first-run --user-data-dir=\"$0\"";
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("stsim-browser-{}-{number}", std::process::id()));
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {program} {flags} 3<&0 4>&1 1>/dev/null 2>/dev/null")])
            .arg(&profile)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut chrome = Chrome { child, profile, input, output, session: None, last: 0, heard: Vec::new() };
        let target = chrome.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = chrome.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        chrome.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            chrome.call(&format!("{domain}.enable"), json!({}));
        }
        chrome
    }

    /// Asks for something and waits for the answer.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.input.write_all(message.to_string().as_bytes()).expect("the browser listens");
        self.input.write_all(&[0]).expect("the browser listens");
        loop {
            let mut answer = self.hear();
            if answer["id"] == self.last {
                assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.heard.push(answer);
        }
    }

    fn hear(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.output.read_until(0, &mut bytes).expect("the browser talks");
        assert_eq!(bytes.pop(), Some(0), "the browser is gone: is chromium installed?");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// Opens a file, and waits until its script has run.
    pub(crate) fn open(&mut self, file: &Path, hash: &str) {
        self.heard.clear();
        // Another hash alone would open nothing anew.
        self.call("Page.navigate", json!({"url": "about:blank"}));
        self.call("Page.navigate", json!({"url": format!("file://{}{hash}", file.display())}));
        while self.text("document.readyState + location.protocol") != "completefile:" {}
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let options = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut answer = self.call("Runtime.evaluate", options);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// The same as a text.
    pub(crate) fn text(&mut self, expression: &str) -> String {
        match self.value(expression) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// Waits until an expression is true; not for ever.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        for _ in 0..500 {
            if self.value(&format!("Boolean({expression})")) == true {
                return;
            }
            self.value("new Promise((done) => setTimeout(done, 20)).then(() => 0)");
        }
        panic!("{expression} never becomes true");
    }

    /// The text of the first element a selector finds; empty if there is none.
    pub(crate) fn text_of(&mut self, selector: &str) -> String {
        let selector = json!(selector);
        self.text(&format!("document.querySelector({selector})?.textContent ?? ''"))
    }

    /// How many elements a selector finds.
    pub(crate) fn count(&mut self, selector: &str) -> u64 {
        let selector = json!(selector);
        self.value(&format!("document.querySelectorAll({selector}).length")).as_u64().expect("a number")
    }

    /// Clicks the middle of the first element a selector finds, as a mouse does.
    pub(crate) fn click(&mut self, selector: &str) {
        let quoted = json!(selector);
        let place = self.value(&format!(
            "(() => {{ const e = document.querySelector({quoted}); e.scrollIntoView({{block: 'center'}});
              const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses a key; `shift` held or not.
    pub(crate) fn press(&mut self, key: &str, shift: bool) {
        let modifiers = if shift { 8 } else { 0 };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "modifiers": modifiers});
            if key == "Escape" {
                // Only by its number does it close a dialog.
                event["windowsVirtualKeyCode"] = 27.into();
            }
            if kind == "keyDown" && key.chars().count() == 1 {
                event["text"] = key.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Media features and type, as the system would set them.
    pub(crate) fn media(&mut self, kind: &str, features: &[(&str, &str)]) {
        let features: Vec<_> =
            features.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        self.call("Emulation.setEmulatedMedia", json!({"media": kind, "features": features}));
    }

    /// Errors and warnings since the page was opened, and requests other than for the page itself.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        self.value("new Promise((done) => setTimeout(done, 50)).then(() => 0)");
        let complaint = |event: &Value| {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" => Some(params["args"].to_string()),
                "Log.entryAdded" => Some(params["entry"]["text"].to_string()),
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str().unwrap_or_default();
                    let own =
                        params["type"] == "Document" && (url.starts_with("file:") || url == "about:blank");
                    (!own).then(|| format!("request for {url}"))
                }
                _ => None,
            }
        };
        self.heard.iter().filter_map(complaint).collect()
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        // What has ended already cannot be ended; there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
