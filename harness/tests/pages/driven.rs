//! A browser that is driven as by a person, over the pipe of its DevTools protocol: messages in JSON,
//! each with a zero byte at its end.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use harness::record::Record;
use harness::report::page;
use serde_json::{Value, json};

/// A page in a browser.
pub(crate) struct Driven {
    browser: Child,
    _place: tempfile::TempDir,
    to: File,
    from: BufReader<File>,
    messages: u64,
    session: Option<String>,
    /// What the browser told by itself.
    heard: Vec<Value>,
}

impl Driven {
    /// Opens a record's page.
    pub(crate) fn open(program: &Path, record: &Record) -> Self {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str| place.path().join(name);
        std::fs::write(file("page.html"), page::html(record).unwrap()).unwrap();
        assert!(Command::new("mkfifo").args([file("to"), file("from")]).status().unwrap().success());
        // It reads the descriptor 3 and writes to 4.
        let mut shell = Command::new("sh");
        let script = r#"exec "$0" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe --user-data-dir="$1/profile" 3<"$1/to" 4>"$1/from" 2>"$1/said""#;
        let browser = shell
            .arg("-c")
            .arg(script)
            .arg(program)
            .arg(place.path())
            .env("TMPDIR", place.path())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(file("to")).unwrap();
        let from = BufReader::new(File::open(file("from")).unwrap());
        let url = format!("file://{}", file("page.html").display());
        let mut driven =
            Self { browser, _place: place, to, from, messages: 0, session: None, heard: Vec::new() };
        let blank = json!({ "url": "about:blank" });
        let target = driven.ask("Target.createTarget", &blank)["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = driven.ask("Target.attachToTarget", &attach)["sessionId"].clone();
        driven.session = Some(session.as_str().unwrap().to_owned());
        // Keys go to the page that is in front.
        driven.ask("Page.bringToFront", &json!({}));
        driven.ask("Emulation.setFocusEmulationEnabled", &json!({ "enabled": true }));
        driven.ask("Page.enable", &json!({}));
        driven.ask("Page.navigate", &json!({ "url": url }));
        driven.hear("Page.loadEventFired");
        let ready = driven.evaluate("document.documentElement.dataset.ready");
        assert!(ready.is_string(), "the script did not come to its end: {ready}");
        driven
    }

    /// Asks for something, and gives the answer.
    fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.messages += 1;
        let mut message = json!({ "id": self.messages, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.next();
            if answer["id"] == self.messages {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            // What nobody asked for has no number.
            self.heard.push(answer);
        }
    }

    /// Waits for something that the browser tells by itself.
    fn hear(&mut self, method: &str) {
        while !self.heard.iter().any(|heard| heard["method"] == method) {
            let heard = self.next();
            self.heard.push(heard);
        }
    }

    /// The next message.
    fn next(&mut self) -> Value {
        let mut message = Vec::new();
        self.from.read_until(0, &mut message).unwrap();
        serde_json::from_slice(message.strip_suffix(b"\0").unwrap()).unwrap()
    }

    /// The value of an expression in the page.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true });
        self.ask("Runtime.evaluate", &asked)["result"]["value"].clone()
    }

    /// Has an element take the keys, once the page is drawn with it: what is typed before that is lost.
    pub(crate) fn focus(&mut self, selector: &str) {
        let drawn = "new Promise((done) => requestAnimationFrame(() => setTimeout(() => done('drawn'))))";
        let focused = format!("document.querySelector(\"{selector}\").focus(), {drawn}");
        for expression in [drawn, &focused] {
            let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
            let answer = self.ask("Runtime.evaluate", &asked);
            assert_eq!(answer["result"]["value"], "drawn", "{answer}");
        }
    }

    /// Waits until an expression has this value: keys are taken in beside what is asked.
    pub(crate) fn becomes(&mut self, expression: &str, value: &str) {
        let until = Instant::now() + Duration::from_secs(10);
        let mut last = self.evaluate(expression);
        while last != value && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
            last = self.evaluate(expression);
        }
        assert_eq!(last, value, "{expression}");
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let pressed = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.ask("Input.dispatchKeyEvent", &pressed);
        }
    }

    /// Types a text.
    pub(crate) fn types(&mut self, text: &str) {
        self.ask("Input.insertText", &json!({ "text": text }));
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.browser.kill().ok();
        self.browser.wait().ok();
    }
}
