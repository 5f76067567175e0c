//! A server process, and a client that says exactly the bytes it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) const OXIBASE: &str = env!("CARGO_BIN_EXE_oxibase");

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory of its own, removed at the end.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("oxibase-it-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `oxibase serve`.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Served {
    pub(crate) fn start(directory: &Directory, more: &[&str]) -> Self {
        let child = Command::new(OXIBASE)
            .args(["serve", "--pg", "127.0.0.1:0", "--data", &directory.file("db")])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Served::of(child)
    }

    /// A server that was started otherwise, once it is ready.
    pub(crate) fn of(mut child: Child) -> Self {
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ready postgres://").expect("a ready line");
        Served { child, address: address.parse().unwrap() }
    }

    pub(crate) fn client(&self) -> Raw {
        let mut raw = Raw::connect(self.address);
        raw.start("ann");
        raw
    }

    /// Asks the server to stop and gives its exit status.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One message of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// A field of an error or notice.
    pub(crate) fn field(&self, tag: u8) -> String {
        self.body
            .split(|byte| *byte == 0)
            .find_map(|field| field.strip_prefix(&[tag]))
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .unwrap_or_default()
    }

    /// A row's values.
    pub(crate) fn values(&self) -> Vec<Option<Vec<u8>>> {
        let mut rest = &self.body[2..];
        let mut values = vec![];
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = i32::from_be_bytes(*length);
            if length < 0 {
                values.push(None);
                rest = after;
            } else {
                let (value, after) = after.split_at(length as usize);
                values.push(Some(value.to_vec()));
                rest = after;
            }
        }
        values
    }
}

/// A client that says exactly what it is told to.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) key: Vec<u8>,
}

impl Raw {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw { stream, key: vec![] }
    }

    pub(crate) fn start(&mut self, user: &str) {
        self.bytes(&startup(user));
        let messages = self.until_ready();
        self.key.clone_from(&messages.iter().find(|m| m.tag == b'K').unwrap().body);
        assert!(messages.iter().any(|m| m.tag == b'S'));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub(crate) fn send(&mut self, tag: u8, body: &[u8]) {
        self.bytes(&frame(tag, body));
    }

    /// A byte outside of any message.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).ok().map(|()| byte[0])
    }

    /// The next message; `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body).ok()?;
        Some(Message { tag: head[0], body })
    }

    /// All messages up to `ReadyForQuery` or the end of the stream.
    pub(crate) fn until_ready(&mut self) -> Vec<Message> {
        let mut messages = vec![];
        while let Some(message) = self.next() {
            let ready = message.tag == b'Z';
            messages.push(message);
            if ready {
                break;
            }
        }
        messages
    }

    pub(crate) fn query(&mut self, sql: &str) -> Vec<Message> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.send(b'Q', &body);
        self.until_ready()
    }

    /// The text values of a query's rows; panics on an error.
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let messages = self.query(sql);
        if let Some(error) = messages.iter().find(|m| m.tag == b'E') {
            panic!("{sql}: {}", error.field(b'M'));
        }
        let text = |value: Option<Vec<u8>>| {
            value.map_or("NULL".to_owned(), |v| String::from_utf8(v).unwrap())
        };
        let rows = messages.iter().filter(|m| m.tag == b'D');
        rows.map(|m| m.values().into_iter().map(text).collect()).collect()
    }
}

pub(crate) fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![tag];
    frame.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

pub(crate) fn startup(user: &str) -> Vec<u8> {
    let mut body = (3u32 << 16).to_be_bytes().to_vec();
    body.extend_from_slice(format!("user\0{user}\0database\0oxibase\0\0").as_bytes());
    let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
    packet.extend_from_slice(&body);
    packet
}

/// The kinds of messages, as a string.
pub(crate) fn tags(messages: &[Message]) -> String {
    messages.iter().filter(|m| m.tag != b'N').map(|m| m.tag as char).collect()
}

/// The SQLSTATE of the first error.
pub(crate) fn code(messages: &[Message]) -> String {
    messages.iter().find(|m| m.tag == b'E').map(|m| m.field(b'C')).unwrap_or_default()
}
