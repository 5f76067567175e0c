//! A conversation over a real socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[test]
fn a_conversation() {
    let runtime = Runtime::new(1).unwrap();
    runtime.block_on(async {
        let listener = Listener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 4];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
        });
        let mut client = Stream::connect(&address).await.unwrap();
        client.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        client.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ping");
        server.await.unwrap();
        assert!(timeout(1_000, sleep(10_000_000)).await.is_none());
        let refused = Listener::bind("not an address").await.unwrap_err();
        assert_eq!(refused.code(), SqlState::CONNECTION_FAILURE);
    });
    runtime.shutdown();
}
