// SPDX-License-Identifier: Apache-2.0

//go:build wasip1

package http

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/golem-workers/golem-go/internal/flow"
	"github.com/golem-workers/golem-go/internal/httpflow"
	"github.com/golem-workers/golem-go/internal/platform/httptypes"
	"github.com/golem-workers/golem-go/internal/platform/outgoinghandler"
	"github.com/golem-workers/golem-go/rpc"
)

func init() {
	install()
}

func install() {
	http.DefaultTransport = &WasiHttpTransport{}
}

func roundTrip(request *http.Request) (*http.Response, error) {
	response, err := send(request)
	// Who asks with a context expects its error.
	if ctx := request.Context(); err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return response, err
}

func send(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		defer request.Body.Close()
	}
	outgoing, err := head(request)
	if err != nil {
		return nil, err
	}
	var body *httptypes.OutgoingBody
	if request.Body != nil && request.Body != http.NoBody {
		if body, err = outgoing.Body(); err != nil {
			outgoing.Close()
			return nil, err
		}
	}
	future, err := outgoinghandler.Handle(outgoing, nil)
	if err != nil {
		if body != nil {
			body.Close()
		}
		return nil, failure(err)
	}
	defer future.Close()
	if body != nil {
		if err := write(request, body); err != nil {
			return nil, err
		}
	}
	incoming, err := receive(request.Context(), future)
	if err != nil {
		return nil, err
	}
	return response(request, incoming)
}

// head makes the request without its body.
func head(request *http.Request) (*httptypes.OutgoingRequest, error) {
	header, err := httpflow.Fields(request.Header, "Host", "Content-Length")
	if err != nil {
		return nil, err
	}
	if request.ContentLength > 0 {
		if err := header.Append("Content-Length", []byte(strconv.FormatInt(request.ContentLength, 10))); err != nil {
			header.Close()
			return nil, err
		}
	}
	outgoing := httptypes.NewOutgoingRequest(header)
	authority := request.Host
	if authority == "" {
		authority = request.URL.Host
	}
	path := request.URL.RequestURI()
	for _, err := range []error{
		outgoing.SetMethod(httpflow.Method(request.Method)),
		outgoing.SetScheme(scheme(request.URL)),
		outgoing.SetAuthority(&authority),
		outgoing.SetPathWithQuery(&path),
	} {
		if err != nil {
			outgoing.Close()
			return nil, &Error{Code: "HTTP-request-URI-invalid", Detail: request.Method + " " + request.URL.String()}
		}
	}
	return outgoing, nil
}

func scheme(target *url.URL) httptypes.Scheme {
	switch target.Scheme {
	case "http":
		return httptypes.SchemeHTTP{}
	case "https":
		return httptypes.SchemeHTTPS{}
	default:
		return httptypes.SchemeOther{Value: target.Scheme}
	}
}

// write sends the body of a request. A body that cannot be read is not finished, so the request is not sent.
func write(request *http.Request, body *httptypes.OutgoingBody) error {
	stream, err := body.Write()
	if err != nil {
		body.Close()
		return err
	}
	w := flow.NewWriter(request.Context(), stream)
	if _, err := io.Copy(w, request.Body); err != nil {
		w.Abandon()
		body.Close()
		return err
	}
	if err := w.Close(); err != nil {
		body.Close()
		return err
	}
	if err := httptypes.OutgoingBodyFinish(body, nil); err != nil {
		return failure(err)
	}
	return nil
}

func receive(ctx context.Context, future *httptypes.FutureIncomingResponse) (*httptypes.IncomingResponse, error) {
	for {
		ready := future.Subscribe()
		err := rpc.Wait(ctx, ready)
		ready.Close()
		if err != nil {
			return nil, err
		}
		got := future.Get()
		if got == nil {
			continue
		}
		if got.IsErr() {
			return nil, errors.New("the response was taken before")
		}
		outcome := got.Unwrap()
		if outcome.IsErr() {
			return nil, failure(outcome.UnwrapErr())
		}
		return outcome.Unwrap(), nil
	}
}

func response(request *http.Request, incoming *httptypes.IncomingResponse) (*http.Response, error) {
	defer incoming.Close()
	status := int(incoming.Status())
	header := httpflow.Header(incoming.Headers())
	body, err := incoming.Consume()
	if err != nil {
		return nil, err
	}
	response := &http.Response{
		Status:        strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		ContentLength: httpflow.Length(header),
		Request:       request,
	}
	reader, err := httpflow.NewBody(request.Context(), body, &response.Trailer)
	if err != nil {
		return nil, err
	}
	response.Body = reader
	return response, nil
}

// failure turns a failure of the platform into an Error.
func failure(err error) error {
	code, _, _ := strings.Cut(err.Error(), ": ")
	failed := &Error{Code: code}
	var (
		internal httptypes.ErrorCodeInternalError
		dns      httptypes.ErrorCodeDNSError
	)
	switch {
	case errors.As(err, &internal) && internal.Value != nil:
		failed.Detail = *internal.Value
	case errors.As(err, &dns) && dns.Value.Rcode != nil:
		failed.Detail = *dns.Value.Rcode
	}
	return failed
}
