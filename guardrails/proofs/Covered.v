(** Whatever happens between two decisions, the books stay inside what was certified.

    While orders may fill, the books are the decision's, moved by the scenario and by the shares
    that are filled: options in the order of the legs ([Fills.v], [Legs.v]). On the way out they are
    mixtures of points of the set ([Unwind.v]). *)
Require Import QArith Qminmax Qabs Lqa List Bool Arith Lia.
Import ListNotations.
Open Scope Q_scope.
From AgentFund Require Import Sums Fills Legs Unwind Ledger.

Section Covered.
  Variable M : mandate.
  Local Notation at_venue := (Ledger.at_venue M).
  Local Notation worth := (Ledger.worth M).
  Local Notation nav := (Ledger.nav M).
  Local Notation value := (Ledger.value M).
  Local Notation credit := (Ledger.credit M).
  Local Notation cash_after := (Ledger.cash_after M).
  Local Notation fees := (Ledger.fees M).
  Local Notation worth_at := (Ledger.worth_at M).
  Local Notation worst_price := (Ledger.worst_price M).
  Local Notation best_price := (Ledger.best_price M).
  Local Notation loss_effect := (Ledger.loss_effect M).
  Local Notation gain_effect := (Ledger.gain_effect M).
  Local Notation drift := (Ledger.drift M).
  Local Notation stake := (Ledger.stake M).
  Local Notation case_loss := (Ledger.case_loss M).
  Local Notation case_gain := (Ledger.case_gain M).
  Local Notation failures := (Ledger.failures M).
  Local Notation covered := (Ledger.covered M).
  Local Notation event := (Ledger.event M).

  (** What every event keeps. While orders may fill: the books are the decision's, moved by the
      scenario and by the shares filled so far. After that: every scenario of the set leaves the
      fund inside the certified bounds. *)
  Definition while_open (gone : option nat) (b : book) (l : live) : Prop := forall x,
    value b - (stake gone b - drift gone b x + all_done (loss_effect gone b x) (fills l)) - spent l
    <= worth_at gone b l x
    <= value b + (drift gone b x - stake gone b + all_done (gain_effect gone b x) (fills l)).

  Definition inside (gone : option nat) (b : book) (w : bounds) (l : live) : Prop :=
    between scenario (stress M (price b)) (value b - loss w - spent l - missed l)
      (value b + gain w + missed l) (worth_at gone b l).

  Record kept (b : book) (w : bounds) (l : live) : Prop := {
    kept_spent : 0 <= spent l <= trading w;
    kept_missed : 0 <= missed l <= apart w;
    kept_lost : In (lost l) failures;
    kept_mark : exists x, stress M (price b) x /\
      forall i, (i < instruments M)%nat -> mark l i - paid l i == all_in b x i;
    kept_paid : forall i, (i < instruments M)%nat ->
      - (price b i * most_received M i) <= paid l i <= price b i * most_paid M i;
    kept_fills : Forall ordered (fills l) /\ map (map fst) (fills l) = chains b;
    kept_open : cancelled l = false -> missed l == 0 /\ forall gone, while_open gone b l;
    kept_worth : forall gone, In gone failures -> inside gone b w l
  }.

  (** While orders may fill, certificates of all cases keep the fund inside the bounds: fills as
      options, in the order of the legs. *)
  Lemma open_inside : forall gone b w l, covered b w -> In gone failures ->
    Forall ordered (fills l) -> map (map fst) (fills l) = chains b -> 0 <= missed l ->
    while_open gone b l -> inside gone b w l.
  Proof.
    intros gone b w l [_ [_ [_ [_ [_ H]]]]] G O E Mi W x X. specialize (W x).
    destruct (fill_state_is_covered leg (loss_effect gone b x) (fills l) O) as [c [Hc Lc]].
    destruct (fill_state_is_covered leg (gain_effect gone b x) (fills l) O) as [c' [Hc' Lc']].
    rewrite E in Hc, Hc'.
    destruct (H gone c x G Hc X) as [L _]. destruct (H gone c' x G Hc' X) as [_ U].
    unfold Ledger.case_loss in L. unfold Ledger.case_gain in U. split; lra.
  Qed.

  Lemma worth_prices : forall gone c h p q,
    (forall i, (i < instruments M)%nat -> p i == q i) -> worth gone c h p == worth gone c h q.
  Proof.
    intros gone c h p q H. unfold Ledger.worth. apply Qplus_comp; [reflexivity|].
    apply total_equal. intros i Hi. rewrite (H i Hi). reflexivity.
  Qed.

  (** Funding paid on the positions held does not change what the books are worth all in. *)
  Lemma move_worth : forall gone b l x paid' mark',
    worth_at gone b {|
        cash := credit (cash l) (fun i => - (held l i * (paid' i - paid l i)));
        held := held l; mark := mark'; paid := paid'; fills := fills l;
        cancelled := cancelled l; lost := lost l; spent := spent l; missed := missed l |} x
    == worth_at gone b l x.
  Proof.
    intros gone b l x paid' mark'. unfold Ledger.worth_at, Ledger.worth. simpl. rewrite credited.
    rewrite <- Qplus_assoc. apply Qplus_comp; [reflexivity|]. rewrite <- total_plus.
    apply total_equal. intros i _. lra.
  Qed.

  (** A fill inside limit and set moves the books by its share of the leg's effects at most. *)
  Lemma fill_worth : forall gone b l o share p fee x,
    (symbol o < instruments M)%nat -> 0 <= share -> (forall k, 0 <= fee k) ->
    (0 <= quantity o -> p <= limit o) -> (quantity o <= 0 -> limit o <= p) ->
    lowest M (price b) (symbol o) <= p - paid l (symbol o) <= highest M (price b) (symbol o) ->
    - (price b (symbol o) * most_received M (symbol o)) <= paid l (symbol o)
      <= price b (symbol o) * most_paid M (symbol o) ->
    let after := worth gone (cash_after (cash l) (bought o share) (fun _ => p) fee)
                   (held_after (held l) (bought o share)) (fun i => all_in b x i + paid l i) in
    worth_at gone b l x - share * loss_effect gone b x o - total (venues M) fee <= after
    <= worth_at gone b l x + share * gain_effect gone b x o.
  Proof.
    intros gone b l o share p fee x Hs S F Hb Hl Box Paid after.
    unfold after. rewrite traded_worth. pose proof (fees_bounded M gone fee F) as [F0 F1].
    rewrite (total_equal (instruments M)
      (fun i => at_venue gone i * (bought o share i * (p - (all_in b x i + paid l i))))
      (fun i => if Nat.eqb i (symbol o) then
         at_venue gone i * (- (share * quantity o) * (p - (all_in b x i + paid l i))) else 0)).
    2:{ intros i _. unfold bought. destruct (Nat.eqb i (symbol o)); lra. }
    rewrite (total_single (instruments M) (symbol o)
      (fun i => at_venue gone i * (- (share * quantity o) * (p - (all_in b x i + paid l i)))) Hs).
    unfold Ledger.worth_at, Ledger.loss_effect, Ledger.gain_effect.
    set (i := symbol o) in *. set (d := quantity o) in *. set (q := p - paid l i) in *.
    assert (Lim : d * q <= d * worst_price b o).
    { unfold Ledger.worst_price. fold i d. destruct (Qle_bool 0 d) eqn:E.
      - apply Qle_bool_iff in E. specialize (Hb E). unfold q. nra.
      - assert (d < 0) by (apply Qnot_le_lt; intro K; apply Qle_bool_iff in K; congruence).
        specialize (Hl ltac:(lra)). unfold q. nra. }
    assert (Best : d * best_price b o <= d * q).
    { unfold Ledger.best_price. fold i d. destruct (Qle_bool 0 d) eqn:E.
      - apply Qle_bool_iff in E. nra.
      - assert (d < 0) by (apply Qnot_le_lt; intro K; apply Qle_bool_iff in K; congruence). nra. }
    assert (Lo : - (d * (worst_price b o - all_in b x i)) <= - d * (q - all_in b x i)) by lra.
    assert (Hi : - d * (q - all_in b x i) <= d * (all_in b x i - best_price b o)) by lra.
    assert (E : - (share * d) * (p - (all_in b x i + paid l i))
      == share * (- d * (q - all_in b x i))) by (unfold q; ring).
    rewrite E. set (u := - d * (q - all_in b x i)) in *.
    set (lo := d * (worst_price b o - all_in b x i)) in *.
    set (hi := d * (all_in b x i - best_price b o)) in *.
    assert (SL : - (share * lo) <= share * u) by nra.
    assert (SU : share * u <= share * hi) by nra.
    destruct (at_venue_cases M gone i) as [A|A]; rewrite A; lra.
  Qed.

  (** A slice is a mixture of the scenario where it closes and the one where the rest is marked. *)
  Lemma slice_worth : forall gone b l a s extra off miss fee x,
    (forall k, 0 <= fee k) -> stress M (price b) x ->
    (forall i x, (i < instruments M)%nat -> stress M (price b) x ->
       - miss i <= extra i * (price b i * (s i - x i)) + (a * held l i + extra i) * off i
       <= miss i) ->
    let sold := fun i => a * held l i + extra i in
    let after := worth gone
       (cash_after (cash l) sold (fun i => all_in b s i + paid l i + off i) fee)
       (held_after (held l) sold) (fun i => all_in b x i + paid l i) in
    a * worth_at gone b l s + (1 - a) * worth_at gone b l x
      - total (venues M) fee - total (instruments M) miss <= after
    <= a * worth_at gone b l s + (1 - a) * worth_at gone b l x + total (instruments M) miss.
  Proof.
    intros gone b l a s extra off miss fee x F X Miss sold after.
    unfold after. rewrite traded_worth. pose proof (fees_bounded M gone fee F) as [F0 F1].
    set (N := instruments M) in *.
    assert (E : a * worth_at gone b l s + (1 - a) * worth_at gone b l x
      == worth_at gone b l x
         + total N (fun i => at_venue gone i * (a * (held l i * (price b i * (s i - x i)))))).
    { unfold Ledger.worth_at, Ledger.worth. fold N.
      assert (K : total N (fun i => at_venue gone i * (a * (held l i * (price b i * (s i - x i)))))
        == a * (total N (fun i => at_venue gone i * (held l i * (all_in b s i + paid l i)))
                - total N (fun i => at_venue gone i * (held l i * (all_in b x i + paid l i))))).
      { rewrite <- total_minus, <- total_scaled. apply total_equal. intros i _.
        unfold all_in. ring. }
      rewrite K. ring. }
    assert (D : total N (fun i => at_venue gone i *
                  (sold i * (all_in b s i + paid l i + off i - (all_in b x i + paid l i))))
      == total N (fun i => at_venue gone i * (a * (held l i * (price b i * (s i - x i)))))
         + total N (fun i => at_venue gone i *
             (extra i * (price b i * (s i - x i)) + (a * held l i + extra i) * off i))).
    { rewrite <- total_plus. apply total_equal. intros i _. unfold sold, all_in. ring. }
    assert (U : - total N miss <= total N (fun i => at_venue gone i *
             (extra i * (price b i * (s i - x i)) + (a * held l i + extra i) * off i))
             <= total N miss).
    { split.
      - assert (K : - total N miss == total N (fun i => - miss i)).
        { rewrite (total_equal N (fun i => - miss i) (fun i => 0 - miss i)) by (intros; lra).
          rewrite total_minus, total_zero. lra. }
        rewrite K. apply total_below. intros i Hi. destruct (Miss i x Hi X).
        destruct (at_venue_cases M gone i) as [A|A]; rewrite A; lra.
      - apply total_below. intros i Hi. destruct (Miss i x Hi X).
        destruct (at_venue_cases M gone i) as [A|A]; rewrite A; lra. }
    rewrite D. rewrite E. fold (worth_at gone b l x). lra.
  Qed.

  Lemma miss_nonnegative : forall b (l : live) a s extra off miss,
    (forall i x, (i < instruments M)%nat -> stress M (price b) x ->
       - miss i <= extra i * (price b i * (s i - x i)) + (a * held l i + extra i) * off i
       <= miss i) -> stress M (price b) s -> 0 <= total (instruments M) miss.
  Proof.
    intros b l a s extra off miss H S. apply total_nonnegative. intros i Hi.
    pose proof (H i _ Hi S). lra.
  Qed.

  (** Whatever happens between two decisions, the books stay inside what was certified. *)
  Theorem event_kept : forall m b w l l',
    covered b w -> kept b w l -> event m b w l l' -> kept b w l'.
  Proof.
    intros m b w l l' Cov K E. pose proof K as K0.
    destruct K as [Ks Km Kl Kx Kp [Ko Ke] Kop Kw].
    destruct E as [x mark' paid' X Mk Pd
      | o share fills' p fee Op Fl So Hb Hl Box Fee Sp
      | 
      | a s extra off miss fee Mo Cn S A Miss Mi Fee Sp
      | k Ln Mf].
    - constructor; simpl; auto.
      + exists x. split; assumption.
      + intro Op. destruct (Kop Op) as [Z W]. split; [exact Z|]. intros gone y.
        specialize (W gone y). rewrite move_worth. simpl. exact W.
      + intros gone G y Y. rewrite move_worth. simpl. exact (Kw gone G y Y).
    - pose proof (fees_bounded M None fee Fee) as [F0 F1].
      assert (F : 0 <= total (venues M) fee) by lra.
      assert (O' : Forall ordered fills') by (eapply fill_ordered; eassumption).
      assert (E' : map (map fst) fills' = chains b)
        by (rewrite (fill_same_legs _ _ _ _ _ Fl); exact Ke).
      assert (S0 : 0 <= share) by (destruct Fl; assumption).
      destruct (Kop Op) as [Z W].
      assert (W' : forall gone, while_open gone b {|
        cash := cash_after (cash l) (bought o share) (fun _ => p) fee;
        held := held_after (held l) (bought o share);
        mark := mark l; paid := paid l; fills := fills'; cancelled := false; lost := lost l;
        spent := spent l + total (venues M) fee; missed := missed l |}).
      { intros gone y. simpl. unfold Ledger.worth_at at 1 2. simpl.
        rewrite !(fill_done _ _ _ _ _ _ Fl).
        destruct (fill_worth gone b l o share p fee y So S0 Fee Hb Hl Box (Kp _ So)) as [A1 A2].
        destruct (W gone y) as [B1 B2]. split; lra. }
      constructor; simpl; auto; [lra|].
      intros gone G. apply open_inside; simpl; auto. lra.
    - constructor; simpl; auto. intro; discriminate.
    - pose proof (fees_bounded M None fee Fee) as [F0 F1].
      pose proof (miss_nonnegative b l a s extra off miss Miss S) as M0.
      constructor; simpl; auto; [lra|lra|intro; discriminate|].
      intros gone G y Y.
      pose proof (slice_keeps_bounds scenario (stress M (price b)) _ _ (worth_at gone b l)
        (worth_at gone b {|
          cash := cash_after (cash l) (fun i => a * held l i + extra i)
                    (fun i => all_in b s i + paid l i + off i) fee;
          held := held_after (held l) (fun i => a * held l i + extra i);
          mark := mark l; paid := paid l; fills := fills l; cancelled := true; lost := lost l;
          spent := spent l + total (venues M) fee;
          missed := missed l + total (instruments M) miss |})
        a s (total (venues M) fee) (total (instruments M) miss)
        (Kw gone G) S A ltac:(lra)
        (fun x X => slice_worth gone b l a s extra off miss fee x Fee X Miss) y Y) as B.
      simpl. simpl in B. lra.
    - constructor; simpl; auto. right. apply in_map. exact Mf.
  Qed.

  (** NAV, whatever has happened: no further below its value at the decision than loss and all
      costs, no further above it than the gain. *)
  Theorem kept_nav : forall b w l, kept b w l ->
    value b - loss w - (trading w + apart w) <= nav l <= value b + (gain w + apart w).
  Proof.
    intros b w l [Ks Km Kl [x [X Mk]] _ _ _ Kw].
    assert (E : nav l == worth_at (lost l) b l x).
    { unfold Ledger.nav, Ledger.worth_at. apply worth_prices. intros i Hi.
      pose proof (Mk i Hi). lra. }
    rewrite E. destruct (Kw (lost l) Kl x X). split; lra.
  Qed.

  Lemma opened_worth : forall gone b x,
    worth_at gone b (opened b) x == value b - stake gone b + drift gone b x.
  Proof.
    intros gone b x.
    unfold Ledger.worth_at, Ledger.stake, Ledger.drift, opened, Ledger.worth. simpl.
    rewrite (total_equal (instruments M)
      (fun i => at_venue gone i * (positions b i * (all_in b x i + 0)))
      (fun i => at_venue gone i * (positions b i * price b i)
                + at_venue gone i * (positions b i * (price b i * x i)))).
    2:{ intros i _. unfold all_in. ring. }
    rewrite total_plus. ring.
  Qed.

  (** A decision on a covered book starts inside its bounds. *)
  Theorem opened_kept : forall b w, covered b w -> kept b w (opened b).
  Proof.
    intros b w Cov. pose proof Cov as [[P N] [_ [_ [T [A _]]]]].
    assert (W : forall gone, while_open gone b (opened b)).
    { intros gone x. rewrite opened_worth. simpl. rewrite !unfilled_done. split; lra. }
    assert (O : Forall ordered (fills (opened b))) by apply unfilled_ordered.
    assert (E : map (map fst) (fills (opened b)) = chains b) by apply unfilled_legs.
    constructor; simpl; auto; try lra.
    - exists (fun _ => 0). split; [exact N|]. intros i _. unfold all_in. ring.
    - intros i Hi. specialize (P i Hi). pose proof (paid_nonnegative M i).
      pose proof (received_nonnegative M i). split; nra.
    - intros _. split; [reflexivity|exact W].
    - intros gone G. apply open_inside; simpl; auto. lra.
  Qed.

  Lemma opened_nav : forall b, nav (opened b) = value b.
  Proof. reflexivity. Qed.
End Covered.

Arguments kept_worth {M b w l}.

Print Assumptions event_kept.
Print Assumptions kept_nav.
Print Assumptions opened_kept.
