//! One HTTP request over one byte stream.

use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::RestError;

/// GETs `path` and closes the stream.
pub async fn get<S>(stream: S, path: &str) -> Result<(u16, Vec<u8>), RestError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let unreachable = |error: hyper::Error| RestError::Unreachable(error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(unreachable)?;
    let request = Request::get(path)
        .header(http::header::HOST, "jobmanager")
        .header(http::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| RestError::Answer(error.to_string()))?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(unreachable)?;
        Ok((status, body.to_bytes().to_vec()))
    };
    tokio::pin!(exchange);
    // The connection only moves bytes while it is polled. It may end before the exchange sees the
    // answer's end.
    tokio::select! {
        answer = &mut exchange => answer,
        _ended = connection => exchange.await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn one_request_goes_out_and_its_answer_comes_back() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let server = async {
            let mut request = vec![0; 1024];
            let read = theirs.read(&mut request).await.expect("request");
            assert!(request[..read].starts_with(b"GET /overview HTTP/1.1\r\n"));
            theirs
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
                .await
                .expect("answer");
            drop(theirs);
        };
        let (answer, ()) = tokio::join!(get(ours, "/overview"), server);
        assert_eq!(answer.expect("answer"), (200, b"{}".to_vec()));
    }

    #[tokio::test]
    async fn a_stream_that_ends_at_once_is_unreachable() {
        let (ours, theirs) = tokio::io::duplex(1024);
        drop(theirs);
        assert!(matches!(get(ours, "/overview").await, Err(RestError::Unreachable(_))));
    }
}
