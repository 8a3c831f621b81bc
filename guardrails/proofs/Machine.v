(** The fund's state machine: the transitions of [agent_fund/guard/machine.py], by the same names.

    The machine is stated for any condition [safe] on V, H, loss, gain and costs, so that the share,
    floor and absolute forms ([Fund.v]) and the weaker one ([Weaker.v]) are the same machine with
    another condition. A tick is an event of the books ([Ledger.v]): positions, fill shares, fill
    prices and exit slices, not a number that somebody says lies in a band.

    Where the runtime is stricter, what it does is still a run of this machine: it decides nothing
    more once the fund is killed or a limit is broken, resumes only if no limit was broken, halts
    only after a kill, scales the mark up to whole units, and sees the market at opens and closes
    alone. Not in the machine: liquidations, which the certificates of margin accounts rule out
    ([Margin.v]), transfers between venues, and the failure of an issuer, which takes an instrument
    but not the venue that it is traded at. *)
Require Import QArith Qminmax Lqa List Bool.
Import ListNotations.
Open Scope Q_scope.
From AgentFund Require Import Sums Legs Ledger Covered.

(** A decision in force: its book, its bounds, and the high-water mark H at it. *)
Record decision := { on : book; within : bounds; peak : Q }.

(** The mode, the last accepted decision, the books now, and the live high-water mark. *)
Record state := { at_mode : mode; last : decision; now : live; high_water : Q }.

Section Machine.
  Variable M : mandate.
  (** What a decision must show of its book: certificates that cover it. *)
  Variable certified : book -> bounds -> Prop.
  Hypothesis certified_covers : forall b w, certified b w -> covered M b w.
  (** The condition that a decision must meet: V, H, loss, gain, costs. *)
  Variable safe : Q -> Q -> Q -> Q -> Q -> Prop.

  (** Legging counts on both sides: it may cost, and what it brings raises the mark. *)
  Definition whole_gain (w : bounds) : Q := gain w + apart w.
  Definition all_costs (w : bounds) : Q := trading w + apart w.
  Definition safe_at (v h : Q) (w : bounds) : Prop :=
    safe v h (loss w) (whole_gain w) (all_costs w).

  (** NAV, live. *)
  Definition live_nav (s : state) : Q := nav M (now s).

  (** The state after an accepted decision on [b]: V and H are NAV and mark now. *)
  Definition decided (m : mode) (b : book) (w : bounds) (h : Q) : state :=
    {| at_mode := m; last := {| on := b; within := w; peak := h |};
       now := opened b; high_water := h |}.

  (** What a decision may be accepted for: certificates cover the book, and it is Safe. *)
  Definition acceptable (b : book) (w : bounds) (h : Q) : Prop :=
    certified b w /\ safe_at (value M b) h w.

  (** The book that is held now, what stood at a lost venue written off, with the legs [cs]. *)
  Definition book_now (s : state) (cs : list (list leg)) : book := {|
    price := mark (now s);
    positions := fun i => at_venue M (lost (now s)) i * held (now s) i;
    money := fun k => stands M (lost (now s)) k * cash (now s) k;
    chains := cs |}.

  (** That book once [amount] has come in at the venue [k], or gone out if it is negative. *)
  Definition book_after_flow (s : state) (cs : list (list leg)) (k : nat) (amount : Q) : book := {|
    price := price (book_now s cs);
    positions := positions (book_now s cs);
    money := fun j => money (book_now s cs) j + (if Nat.eqb j k then amount else 0);
    chains := cs |}.

  Definition in_mode (s : state) (m : mode) : state :=
    {| at_mode := m; last := last s; now := now s; high_water := high_water s |}.

  Definition flat (s : state) : Prop :=
    cancelled (now s) = true /\ forall i, (i < instruments M)%nat -> held (now s) i == 0.

  Inductive step (s : state) : state -> Prop :=
  (** tick: something happens to the books; NAV moves, and the mark with it. In any mode: a halted
      fund has no orders and closes nothing, but a venue can still fail. *)
  | Tick : forall l, event M (at_mode s) (on (last s)) (within (last s)) (now s) l ->
      step s {| at_mode := at_mode s; last := last s; now := l;
                high_water := Qmax (high_water s) (nav M l) |}
  (** decide: new bounds for the book held and the legs [cs], every order in flight among them. *)
  | Decide : forall cs w, at_mode s <> Halted ->
      acceptable (book_now s cs) w (high_water s) ->
      step s (decided Active (book_now s cs) w (high_water s))
  (** reduce: the book held is no longer Safe; the last decision stays in force. *)
  | Reduce : at_mode s = Active -> step s (in_mode s Reducing)
  (** exit: the reduced book is not Safe either. *)
  | Exit : at_mode s = Reducing -> step s (in_mode s Exiting)
  (** kill: at any time before the halt. *)
  | Kill : at_mode s <> Halted -> step s (in_mode s Exiting)
  (** done: flat, and no order left. *)
  | Done : at_mode s = Exiting -> flat s -> step s (in_mode s Halted)
  (** rest: a halted fund's cash is certified anew. *)
  | Rest : forall w, at_mode s = Halted -> acceptable (book_now s []) w (high_water s) ->
      step s (decided Halted (book_now s []) w (high_water s))
  (** resume: Safe, and an authorised person said so. *)
  | Resume : forall cs w (authorised : bool), at_mode s = Halted -> authorised = true ->
      acceptable (book_now s cs) w (high_water s) ->
      step s (decided Active (book_now s cs) w (high_water s))
  (** flow: money in or out; the mark scales with NAV, rounded against the fund; certified and Safe
      for the book after it. *)
  | Flow : forall cs w k amount h, at_mode s = Active -> (k < venues M)%nat ->
      0 < live_nav s -> 0 < value M (book_after_flow s cs k amount) ->
      high_water s * value M (book_after_flow s cs k amount) <= h * live_nav s ->
      acceptable (book_after_flow s cs k amount) w h ->
      step s (decided Active (book_after_flow s cs k amount) w h).

  (** What a fund can come to: it starts with an accepted decision, its mark not below NAV. *)
  Inductive reachable : state -> Prop :=
  | Start : forall b w h, acceptable b w h -> value M b <= h -> reachable (decided Active b w h)
  | Next : forall s s', reachable s -> step s s' -> reachable s'.

  (** What every reachable state keeps. *)
  Record sound (s : state) : Prop := {
    sound_covered : covered M (on (last s)) (within (last s));
    sound_safe : safe_at (value M (on (last s))) (peak (last s)) (within (last s));
    sound_books : kept M (on (last s)) (within (last s)) (now s);
    sound_value : value M (on (last s)) <= peak (last s);
    sound_peak : peak (last s) <= high_water s;
    sound_mark : high_water s
      <= Qmax (peak (last s)) (value M (on (last s)) + whole_gain (within (last s)));
    sound_nav : live_nav s <= high_water s
  }.

  Lemma decided_sound : forall m b w h, acceptable b w h -> value M b <= h ->
    sound (decided m b w h).
  Proof.
    intros m b w h [C S] L. constructor; simpl.
    - apply certified_covers. exact C.
    - exact S.
    - apply opened_kept. apply certified_covers. exact C.
    - exact L.
    - lra.
    - destruct (max_cases h (value M b + whole_gain w)) as [[A B]|[A B]]; rewrite B; lra.
    - exact L.
  Qed.

  (** The book that a decision is about is worth NAV. *)
  Lemma book_now_value : forall s cs, value M (book_now s cs) == live_nav s.
  Proof.
    intros s cs. unfold value, live_nav, nav, worth, book_now, at_venue. simpl.
    apply Qplus_comp; apply total_equal; intros i _;
      [destruct (stands_cases M (lost (now s)) i) as [E|E]
      |destruct (stands_cases M (lost (now s)) (venue_of M i)) as [E|E]]; rewrite E; ring.
  Qed.

  Lemma in_mode_sound : forall s m, sound s -> sound (in_mode s m).
  Proof. intros s m [A B C V D E F]. constructor; assumption. Qed.

  (** A mark that scales with NAV stays above it. *)
  Lemma scaled_mark : forall nav mark nav' mark' : Q,
    0 < nav -> 0 < nav' -> nav <= mark -> mark * nav' <= mark' * nav -> nav' <= mark'.
  Proof.
    intros v h v' h' P P' L S. apply Qmult_le_r with (z := v); [exact P|]. nra.
  Qed.

  Lemma step_sound : forall s s', sound s -> step s s' -> sound s'.
  Proof.
    intros s s' K St. pose proof K as [A B C V D E F].
    destruct St as [l Ev | cs w _ Ac | _ | _ | _ | _ _ | w _ Ac | cs w au _ _ Ac
      | cs w k amount h _ _ Pos Pos' Scaled Ac];
      try (apply in_mode_sound; exact K);
      try (apply decided_sound; [exact Ac|]; rewrite book_now_value; exact F);
      [|apply decided_sound; [exact Ac|exact (scaled_mark _ _ _ _ Pos Pos' F Scaled)]].
    pose proof (event_kept M _ _ _ _ _ A C Ev) as C'.
    pose proof (kept_nav M _ _ _ C') as [N1 N2].
    constructor; unfold live_nav in *; simpl; auto;
      destruct (max_cases (high_water s) (nav M l)) as [[X Y]|[X Y]]; rewrite ?Y; try lra.
    unfold whole_gain in *.
    destruct (max_cases (peak (last s)) (value M (on (last s)) + (gain (within (last s))
      + apart (within (last s))))) as [[P Q]|[P Q]]; rewrite Q; lra.
  Qed.

  (** Every reachable state is sound: the decision in force covers the books as they stand. *)
  Theorem reachable_sound : forall s, reachable s -> sound s.
  Proof.
    intros s R. induction R as [b w h Ac L | s s' _ IH St].
    - apply decided_sound; assumption.
    - eapply step_sound; eassumption.
  Qed.

  (** In every reachable state NAV lies between V - loss - costs and V + gain of the last accepted
      decision. *)
  Theorem nav_stays_certified : forall s, reachable s ->
    value M (on (last s)) - loss (within (last s)) - all_costs (within (last s)) <= live_nav s
    <= value M (on (last s)) + whole_gain (within (last s)).
  Proof.
    intros s R. apply reachable_sound in R. destruct R as [_ _ C _ _ _ _].
    apply kept_nav. exact C.
  Qed.

  (** The high-water mark never falls except with money that is paid out. *)
  Theorem nav_never_above_mark : forall s, reachable s -> live_nav s <= high_water s.
  Proof. intros s R. apply reachable_sound in R. apply sound_nav. exact R. Qed.
End Machine.

Print Assumptions nav_stays_certified.
Print Assumptions nav_never_above_mark.
