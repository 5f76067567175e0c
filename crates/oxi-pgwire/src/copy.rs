//! The COPY sub-protocol.

use oxi_base::{Error, SqlState};
use oxi_session::{CommandTag, CopyIn, CopyOut};

use crate::connection::{Connection, Failure};
use crate::encode::{empty_message, message};
use crate::frame::{self, Body};
use crate::wire::FLUSH_AT;

impl Connection {
    /// Takes data from the client until it is done.
    pub(crate) async fn copy_in(&mut self, mut copy: CopyIn) -> Result<CommandTag, Failure> {
        let format = copy.format();
        self.copy_response(b'G', format.binary, format.columns);
        loop {
            let frame = match self.wire.frame(frame::limit).await {
                Ok(Ok(frame)) => frame,
                Ok(Err(error)) => {
                    // The error that ends the connection is the one worth reporting.
                    let _ = copy.abort(&mut self.session, "protocol violation");
                    return Err(Failure::Fatal(error));
                }
                Err(ended) => {
                    let _ = copy.abort(&mut self.session, "connection lost");
                    return Err(Failure::Ended(ended));
                }
            };
            match frame.tag {
                b'd' => copy.push(&mut self.session, self.wire.body(frame)).await?,
                b'c' => {
                    let Connection { session, wire, interrupt, .. } = self;
                    let finish = copy.finish(session);
                    return Ok(wire.watch(|| interrupt.cancel(), finish).await?);
                }
                b'f' => {
                    let mut body = Body::new(self.wire.body(frame));
                    let reason = body.text().unwrap_or_default();
                    copy.abort(&mut self.session, reason)?;
                    return Err(Failure::Sql(Error::new(
                        SqlState::QUERY_CANCELED,
                        "COPY from stdin failed",
                    )));
                }
                // Sent ahead by clients that did not know a COPY would come.
                b'H' | b'S' => {}
                b'X' => {
                    let _ = copy.abort(&mut self.session, "connection lost");
                    return Err(Failure::Quit);
                }
                other => {
                    let _ = copy.abort(&mut self.session, "protocol violation");
                    return Err(Failure::Sql(Error::new(
                        SqlState::PROTOCOL_VIOLATION,
                        format!("unexpected message type 0x{other:02X} during COPY from stdin"),
                    )));
                }
            }
        }
    }

    /// Sends data to the client.
    pub(crate) async fn copy_out(&mut self, mut copy: CopyOut) -> Result<CommandTag, Failure> {
        let format = copy.format();
        self.copy_response(b'H', format.binary, format.columns);
        loop {
            let Connection { session, wire, interrupt, .. } = self;
            match wire.watch(|| interrupt.cancel(), copy.next(session)).await? {
                Some(data) => {
                    let out = &mut self.wire.output;
                    message(out, b'd', |out| out.extend_from_slice(&data));
                    if out.len() > FLUSH_AT {
                        self.wire.flush().await?;
                    }
                }
                None => break,
            }
        }
        let tag = copy.finish(&mut self.session).await?;
        empty_message(&mut self.wire.output, b'c');
        Ok(tag)
    }

    fn copy_response(&mut self, tag: u8, binary: bool, columns: usize) {
        self.notices();
        message(&mut self.wire.output, tag, |out| {
            out.push(u8::from(binary));
            out.extend_from_slice(&(columns as u16).to_be_bytes());
            for _ in 0..columns {
                out.extend_from_slice(&u16::from(binary).to_be_bytes());
            }
        });
    }
}
