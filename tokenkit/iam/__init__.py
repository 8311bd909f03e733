"""IAM and STS as AWS's clients speak to them, in front of the verifier.

The wire is that of botocore's service models: query protocol, XML, Signature Version 4. What is
checked of a request's parameters, and what becomes of an answer, is derived from them.
"""
