//! The same contract over S3's protocol, against a server of the few requests that are used.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use parking_lot::Mutex;

use super::{ObjectDisk, contract};

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Vec<u8>>,
    uploads: BTreeMap<String, BTreeMap<usize, Vec<u8>>>,
}

struct Request {
    method: String,
    key: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn response(status: u16, body: impl Into<Vec<u8>>) -> Response {
    let headers = vec![
        ("ETag", "\"tag\"".to_owned()),
        ("Last-Modified", "Sun, 01 Mar 2026 12:00:00 GMT".to_owned()),
    ];
    Response { status, headers, body: body.into() }
}

fn decode(text: &str) -> String {
    text.replace("%2F", "/").replace("%2f", "/")
}

impl Request {
    fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let key = path.strip_prefix("/bucket").unwrap_or(path).trim_start_matches('/');
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), decode(value))
        };
        let query = query.split('&').filter(|text| !text.is_empty()).map(pair).collect();
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(Request { method, key: decode(key), query, headers, body })
    }
}

impl Bucket {
    fn answer(&mut self, request: Request) -> Response {
        let Request { method, key, query, headers, body } = request;
        let upload = query.get("uploadId").cloned();
        match (method.as_str(), upload) {
            ("PUT", Some(id)) => {
                let part = query["partNumber"].parse().unwrap();
                self.uploads.get_mut(&id).unwrap().insert(part, body);
                response(200, "")
            }
            ("POST", Some(id)) => {
                let parts = self.uploads.remove(&id).unwrap();
                self.objects.insert(key, parts.into_values().flatten().collect());
                let tag = "<ETag>\"tag\"</ETag>";
                response(
                    200,
                    format!("<CompleteMultipartUploadResult>{tag}</CompleteMultipartUploadResult>"),
                )
            }
            ("DELETE", Some(id)) => {
                self.uploads.remove(&id);
                response(204, "")
            }
            ("POST", None) if query.contains_key("uploads") => {
                let id = format!("upload-{key}").replace('/', "-");
                self.uploads.insert(id.clone(), BTreeMap::new());
                response(
                    200,
                    format!(
                        "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                    ),
                )
            }
            ("POST", None) => {
                let text = String::from_utf8(body).unwrap();
                let keys =
                    text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
                let mut deleted = String::new();
                for key in keys {
                    self.objects.remove(key);
                    deleted.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
                }
                response(200, format!("<DeleteResult>{deleted}</DeleteResult>"))
            }
            ("PUT", None) => self.put(key, &headers, body),
            ("GET", None) if query.contains_key("list-type") => self.list(&query),
            ("GET" | "HEAD", None) => self.get(&method, &key, &headers),
            _ => response(400, ""),
        }
    }

    fn put(&mut self, key: String, headers: &BTreeMap<String, String>, body: Vec<u8>) -> Response {
        if let Some(source) = headers.get("x-amz-copy-source") {
            let source = decode(source.trim_start_matches('/').trim_start_matches("bucket/"));
            let copied = self.objects[&source].clone();
            self.objects.insert(key, copied);
            return response(200, "<CopyObjectResult><ETag>\"tag\"</ETag></CopyObjectResult>");
        }
        if headers.contains_key("if-none-match") && self.objects.contains_key(&key) {
            return response(412, "");
        }
        self.objects.insert(key, body);
        response(200, "")
    }

    fn get(&self, method: &str, key: &str, headers: &BTreeMap<String, String>) -> Response {
        let Some(object) = self.objects.get(key) else { return response(404, "") };
        let range = headers.get("range").and_then(|text| text.strip_prefix("bytes="));
        let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
            let mut found = response(200, object.clone());
            if method == "HEAD" {
                found.headers.push(("Content-Length", object.len().to_string()));
                found.body.clear();
            }
            return found;
        };
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        let to = to.min(object.len() - 1);
        let mut found = response(206, &object[from..=to]);
        found.headers.push(("Content-Range", format!("bytes {from}-{to}/{}", object.len())));
        found
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Response {
        let prefix = query.get("prefix").cloned().unwrap_or_default();
        let (mut contents, mut prefixes) = (String::new(), BTreeMap::new());
        for (key, object) in self.objects.range(prefix.clone()..) {
            let Some(rest) = key.strip_prefix(&prefix) else { break };
            if let Some((dir, _)) = rest.split_once('/') {
                prefixes.insert(format!("{prefix}{dir}/"), ());
            } else {
                contents.push_str(&format!(
                    "<Contents><Key>{key}</Key><LastModified>2026-03-01T12:00:00.000Z</LastModified>\
                     <ETag>\"tag\"</ETag><Size>{}</Size></Contents>",
                    object.len()
                ));
            }
        }
        let prefixes: String = prefixes
            .keys()
            .map(|dir| format!("<CommonPrefixes><Prefix>{dir}</Prefix></CommonPrefixes>"))
            .collect();
        response(200, format!("<ListBucketResult>{contents}{prefixes}</ListBucketResult>"))
    }
}

fn serve(stream: TcpStream, bucket: &Mutex<Bucket>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = Request::read(&mut reader) {
        let signed = request.headers.get("authorization").is_some_and(|a| a.contains("AWS4-HMAC"));
        let answer = if signed { bucket.lock().answer(request) } else { response(403, "unsigned") };
        let mut head = format!("HTTP/1.1 {} Said\r\n", answer.status);
        for (name, value) in &answer.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !answer.headers.iter().any(|(name, _)| *name == "Content-Length") {
            head.push_str(&format!("Content-Length: {}\r\n", answer.body.len()));
        }
        head.push_str("\r\n");
        let stream = reader.get_mut();
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer.body)).is_err()
        {
            return;
        }
    }
}

#[test]
fn over_its_protocol() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let bucket = Arc::new(Mutex::new(Bucket::default()));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let bucket = Arc::clone(&bucket);
            std::thread::spawn(move || serve(stream.unwrap(), &bucket));
        }
    });
    let store = AmazonS3Builder::new()
        .with_endpoint(format!("http://{address}"))
        .with_allow_http(true)
        .with_region("nowhere")
        .with_access_key_id("key")
        .with_secret_access_key("secret")
        .with_bucket_name("bucket")
        .build()
        .unwrap();
    contract(&ObjectDisk::new(Arc::new(store), "deep/prefix", "s3://bucket/deep/prefix").unwrap());
}
