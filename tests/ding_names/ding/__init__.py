"""`syncio.interaction` as `ding.interaction`, for the tests of others. There is nothing in here but names."""
